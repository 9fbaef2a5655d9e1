"""The order of the end: runners first, then `web`, all within ten seconds whatever scripts do."""

from runs_app.launcher.runner_registry import Runners
from runs_app.launcher.web import Web

END_S = 9.5  # from the signal to the last KILL
_RUNNERS_S = 8.0  # of which runners may have this much, to leave some for web
_VERDICT_S = 2.0  # a runner's time beyond its script's grace: kill, drain, write the verdict
_HURRIED_S = 1.0
_KILL_AGAIN_S = 0.05


def grace_s(requested_s: float) -> float:
    return min(requested_s, _RUNNERS_S - _VERDICT_S)


class Shutdown:
    def __init__(self, runners: Runners, web: Web, *, now: float, script_grace_s: float) -> None:
        self._runners = runners
        self._web = web
        self._ends_at = now + END_S
        self._runners_until = now + script_grace_s + _VERDICT_S
        runners.shut_down()

    @property
    def is_over(self) -> bool:
        return not self._runners and self._web.pid is None

    def hurry(self, now: float) -> None:
        """End without any grace, after a second request; runners still get the time to write their verdicts."""
        self._runners_until = min(self._runners_until, now + _HURRIED_S)
        self._runners.shut_down()
        self._web.stop(now)
        self._web.kill()

    def advance(self, now: float) -> float | None:
        if not self._runners:
            self._web.stop(now, grace_s=self._ends_at - now)
            return None
        if now >= self._runners_until:
            self._runners.kill()
            self._runners_until = now + _KILL_AGAIN_S
        return self._runners_until
