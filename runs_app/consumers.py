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
from scripts_app import reach
from tempo_site.accounts.keys import KeyLimits

logger = logging.getLogger(__name__)

WINDOW_BYTES = 256 * 1024  # under way to a page that has not acknowledged them
LAST_ACKNOWLEDGEMENT_TIMEOUT_S = 5.0
MAX_OFFSET = 2**53
SKIP_BEHIND_BYTES = 1024 * 1024
SKIP_TO_LAST_BYTES = 128 * 1024

NOT_FOUND, BAD_OFFSET, FAILED = 4404, 4400, 4500


@database_sync_to_async
def find(run_id: int, limits: KeyLimits | None) -> Run | None:
    rows = Run.objects.select_related("script").filter(reach.within(limits, "script"))
    return rows.filter(pk=run_id).first()


covers = database_sync_to_async(reach.covers)


class RunOutputConsumer(AsyncWebsocketConsumer):
    """Sends the log from `?offset=N` on: `o` frames, `status` facts, and `end` when the row is final and all was sent.

    Each frame is a JSON header line, then (`o` only) the raw records. The page answers `{"a": n}` when it has shown the
    records before offset n. With `?skip=1` a viewer more than 1 MB behind gets `skip` instead of the records between.
    """

    async def connect(self) -> None:
        self.sender: asyncio.Task[None] | None = None
        query = parse_qs(self.scope["query_string"].decode("ascii", "replace"))
        self.run_id = int(self.scope["url_route"]["kwargs"]["run_id"])
        self.may_skip = query.get("skip") == ["1"]
        self.wake = asyncio.Event()
        self.limits: KeyLimits | None = self.scope["caller"].limits
        run = await find(self.run_id, self.limits)
        await self.accept()
        try:
            self.offset = self.acknowledged = int(query.get("offset", ["0"])[0])
        except ValueError:
            self.offset = self.acknowledged = -1
        if run is None:
            await self.close(NOT_FOUND)
            return
        if not 0 <= self.offset <= MAX_OFFSET:
            await self.close(BAD_OFFSET)
            return
        self.tail = live.watch(run, self.wake)
        self.sender = asyncio.ensure_future(self.send_or_close())

    async def disconnect(self, code: int) -> None:
        if self.sender is not None:
            self.sender.cancel()
            live.leave(self.run_id, self.wake)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        with contextlib.suppress(ValueError, TypeError, KeyError, OverflowError, RecursionError):
            acknowledged = int(json.loads(text_data or "")["a"])
            self.acknowledged = max(self.acknowledged, min(acknowledged, self.offset))
            self.wake.set()

    async def send_or_close(self) -> None:
        # No code awaits the sender: a failure is logged here, and the page connects again.
        try:
            await self.send_all()
        except Exception:
            logger.exception("run %s could not be sent on", self.run_id)
            await self.close(FAILED)

    async def send_all(self) -> None:
        """Send until the end. The row is read after joining the viewers, so that no change falls between."""
        run = await find(self.run_id, self.limits)
        if run is not None and self.tail.facts is None:
            self.tail.facts, self.tail.final = live.status_event(run), run.is_final
            self.tail.follow(
                run.folder
            )  # the run may have got a folder since `connect` read the row
        shown: dict[str, Any] | None = None
        while True:
            self.wake.clear()
            # Read before the size: after it, the last bytes could come in between.
            is_final = self.tail.final
            if self.tail.facts is not shown:
                shown = self.tail.facts
                await self.frame({"t": "status", "run": shown})
            if await self.send_available() and is_final:
                break
            await self.wake.wait()
        await self.frame({"t": "end"})
        await self.close_when_acknowledged()

    async def close_when_acknowledged(self) -> None:
        """Close behind the last acknowledgement, so that no acknowledgement is answered by a closed connection."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_ACKNOWLEDGEMENT_TIMEOUT_S):
                while self.acknowledged < self.offset:
                    self.wake.clear()
                    await self.wake.wait()
        await self.close()

    async def send_available(self) -> bool:
        """Send what the file holds, as far as the window allows; return whether all whole records are sent."""
        while self.offset - self.acknowledged < WINDOW_BYTES:
            if self.may_skip and self.tail.size() - self.offset > SKIP_BEHIND_BYTES:
                await self.skip()
            data = self.tail.read(self.offset)
            if not data:
                return True
            start = self.offset
            self.offset += len(data)
            await self.frame({"t": "o", "o": start, "n": self.offset}, data)
        return False

    async def skip(self) -> None:
        start = self.tail.start_of_last(SKIP_TO_LAST_BYTES)
        await self.frame({"t": "skip", "o": self.offset, "n": start})
        self.offset = self.acknowledged = start

    async def frame(self, head: dict[str, Any], data: bytes = b"") -> None:
        """Send a header line and raw records as one text frame. Bytes that are not UTF-8 are shown as U+FFFD."""
        text = json.dumps(head)
        if data:
            text += "\n" + data.decode("utf-8", "replace")
        await self.send(text_data=text)


class EventsConsumer(AsyncWebsocketConsumer):
    """Sends each fact about a run, and first `missed` if one went out in the last `?age=` ms: since the page was asked
    for, in which it could not listen.
    """

    groups = [live.EVENTS]

    async def connect(self) -> None:
        await self.accept()
        query = parse_qs(self.scope["query_string"].decode("ascii", "replace"))
        with contextlib.suppress(ValueError, OverflowError):
            if live.was_told_within(int(query.get("age", ["0"])[0]) / 1000):
                await self.send(text_data=json.dumps({"t": "missed"}))

    async def fact(self, event: dict[str, Any]) -> None:
        limits: KeyLimits | None = self.scope["caller"].limits
        if limits is not None and not await covers(limits, event["run"]["script"]):
            return
        await self.send(text_data=json.dumps({"t": "run", "run": event["run"]}))
