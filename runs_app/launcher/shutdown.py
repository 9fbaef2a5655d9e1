"""The order of the end: runners first, then `web`, all within ten seconds whatever scripts do."""

from runs_app.launcher.runner_registry import Runners
from runs_app.launcher.web import Web

END_S = 9.5  # from the signal to the last KILL
_RUNNERS_S = 8.0  # of which runners may have this much, to leave some for web
_SETTLE_S = 2.0  # a runner's time beyond its script's grace: kill, drain, write the verdict
_HURRIED_S = 1.0
_KILL_AGAIN_S = 0.05


def grace_s(asked_s: float) -> float:
    """The scripts' grace, as far as it fits."""
    return min(asked_s, _RUNNERS_S - _SETTLE_S)


class Shutdown:
    """From the first TERM or INT on; `advance()` does what is due."""

    def __init__(self, runners: Runners, web: Web, *, now: float, asked_grace_s: float) -> None:
        self._runners = runners
        self._web = web
        self._ends_at = now + END_S
        self._runners_until = now + grace_s(asked_grace_s) + _SETTLE_S
        runners.shut_down()

    @property
    def is_over(self) -> bool:
        """Whether neither runners nor web are left."""
        return not self._runners and self._web.pid is None

    def hurry(self, now: float) -> None:
        """Asked again: no grace for anybody. Runners get the moment they need to write their verdicts."""
        self._runners_until = min(self._runners_until, now + _HURRIED_S)
        self._runners.shut_down()
        self._web.stop(now)
        self._web.kill()

    def advance(self, now: float) -> float | None:
        """Do what is due; when the next thing is."""
        if not self._runners:
            self._web.stop(now, grace_s=self._ends_at - now)
            return None
        if now >= self._runners_until:
            self._runners.kill()
            self._runners_until = now + _KILL_AGAIN_S
        return self._runners_until
