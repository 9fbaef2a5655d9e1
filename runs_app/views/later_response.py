"""An answer that waits for the end of a run, in the server's event loop."""

from typing import Any

from django.http import JsonResponse

from runs_app.url_triggers import waiting
from runs_app.url_triggers.answers import CallAnswer, run_in_words


class LaterResponse(JsonResponse):
    """An answer that is given when a run has ended; the server awaits `at_end` before it sends anything."""

    def __init__(self, answer: CallAnswer, *, site: str, wait_s: int, has_output: bool) -> None:
        super().__init__(answer.content, status=answer.status)
        self._run = answer.run
        self._site = site
        self._wait_s = wait_s
        self._has_output = has_output

    async def at_end(self) -> None:
        """Wait, and say how it ended; 202 stays where it has not."""
        assert self._run
        facts = await waiting.facts_at_end(self._run, seconds=self._wait_s)
        if facts is None:
            return
        if facts["final"]:
            self.status_code = 200
        if facts["final"] and self._has_output:
            await self._take_output(facts)
        else:
            self._take_facts(facts)
        self.headers["Content-Length"] = str(
            len(self.content)
        )  # which stood there for the first one

    def _take_facts(self, facts: dict[str, Any]) -> None:
        assert self._run
        run = run_in_words(self._run, facts["status"], site=self._site)
        details = {name: facts[name] for name in ("reason", "exit_code", "message", "duration_s")}
        self.content = JsonResponse({"run": {**run, **details}}).content

    async def _take_output(self, facts: dict[str, Any]) -> None:
        self.content, is_whole = await waiting.output_of(facts)
        self.headers["Content-Type"] = "text/plain; charset=utf-8"
        self.headers["Tempo-Status"] = str(facts["status"])
        if not is_whole:
            self.headers["Tempo-Truncated"] = "true"
