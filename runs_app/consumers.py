"""WebSockets: the live output of a run, and status facts for lists."""

import asyncio
import contextlib
import json
import logging
from typing import Any
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from runs_app.models import Run
from runs_app.output import live

logger = logging.getLogger(__name__)

WINDOW = 256 * 1024  # bytes under way to a page that has not acknowledged them
LAST_WORD_S = 5.0  # how long the last acknowledgement is waited for
LAST_OFFSET = 2**53  # of a file
SKIP_BEHIND = 1024 * 1024
SKIP_TO_LAST = 128 * 1024

NOT_FOUND, BAD_OFFSET, FAILED = 4404, 4400, 4500


@database_sync_to_async
def find(run_id: int) -> Run | None:
    """Return the run with its script."""
    return Run.objects.select_related("script").filter(pk=run_id).first()


class RunOutputConsumer(AsyncWebsocketConsumer):
    """Sends the log from `?offset=N` on: `o` frames, `status` facts, and `end` when the row is final and all was sent.

    Each frame is one JSON header line, then (`o` only) the raw records. The page answers `{"a": n}` when it has shown
    everything before offset n. With `?skip=1` a viewer more than 1 MB behind gets `skip` instead of what lies between.
    """

    async def connect(self) -> None:
        """Accept a known run and begin to send."""
        self.sender: asyncio.Task[None] | None = None
        query = parse_qs(self.scope["query_string"].decode("ascii", "replace"))
        self.run_id = int(self.scope["url_route"]["kwargs"]["run_id"])
        self.may_skip = query.get("skip") == ["1"]
        self.wake = asyncio.Event()
        run = await find(self.run_id)
        await self.accept()
        try:
            self.offset = self.acknowledged = int(query.get("offset", ["0"])[0])
        except ValueError:
            self.offset = -1
        if run is None or not 0 <= self.offset <= LAST_OFFSET:
            await self.close(NOT_FOUND if run is None else BAD_OFFSET)
            return
        self.tail = live.watch(run, self.wake)
        self.sender = asyncio.ensure_future(self.send_or_close())

    async def disconnect(self, code: int) -> None:
        """Leave the run's viewers."""
        if self.sender is not None:
            self.sender.cancel()
            live.leave(self.run_id, self.wake)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Take an acknowledgement; anything else is ignored."""
        with contextlib.suppress(ValueError, TypeError, KeyError, OverflowError, RecursionError):
            self.acknowledged = max(
                self.acknowledged, min(int(json.loads(text_data or "")["a"]), self.offset)
            )
            self.wake.set()

    async def send_or_close(self) -> None:
        """Nobody awaits the sender: a failure is logged here, and the page connects again."""
        try:
            await self.send_all()
        except Exception:
            logger.exception("run %s could not be sent on", self.run_id)
            await self.close(FAILED)

    async def send_all(self) -> None:
        """Send until the end. The row is read after joining the viewers, so that no change falls between."""
        run = await find(self.run_id)
        if run is not None and self.tail.facts is None:
            self.tail.facts, self.tail.final = live.status_event(run), run.is_final
            self.tail.follow(run.folder)  # it may have got one since `connect` read the row
        shown: dict[str, Any] | None = None
        while True:
            self.wake.clear()
            # before the size: after it, the last bytes could come in between
            final = self.tail.final
            if self.tail.facts is not shown:
                shown = self.tail.facts
                await self.frame({"t": "status", "run": shown})
            if await self.send_available() and final:
                break
            await self.wake.wait()
        await self.frame({"t": "end"})
        await self.close_when_acknowledged()

    async def close_when_acknowledged(self) -> None:
        """Close behind the last acknowledgement, so that none is answered by a closed connection."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORD_S):
                while self.acknowledged < self.offset:
                    self.wake.clear()
                    await self.wake.wait()
        await self.close()

    async def send_available(self) -> bool:
        """Send what the file holds, as far as the window allows; True when all whole records are sent."""
        while self.offset - self.acknowledged < WINDOW:
            if self.may_skip and self.tail.size() - self.offset > SKIP_BEHIND:
                await self.skip()
            data = self.tail.read(self.offset)
            if not data:
                return True
            start, self.offset = self.offset, self.offset + len(data)
            await self.frame({"t": "o", "o": start, "n": self.offset}, data)
        return False

    async def skip(self) -> None:
        """Jump near the end; the page may fetch the gap by HTTP."""
        start = self.tail.start_of_last(SKIP_TO_LAST)
        await self.frame({"t": "skip", "o": self.offset, "n": start})
        self.offset = self.acknowledged = start

    async def frame(self, head: dict[str, Any], data: bytes = b"") -> None:
        """Send a header line and raw records as one text frame. Bytes that are no UTF-8 are shown as U+FFFD."""
        body = data.decode("utf-8", "replace")
        await self.send(text_data=f"{json.dumps(head)}\n{body}" if data else json.dumps(head))


class EventsConsumer(AsyncWebsocketConsumer):
    """Sends `{"t": "run", "run": {...}}` whenever a run's status changes."""

    groups = [live.EVENTS]

    async def fact(self, event: dict[str, Any]) -> None:
        """Pass on one fact."""
        await self.send(text_data=json.dumps({"t": "run", "run": event["run"]}))
