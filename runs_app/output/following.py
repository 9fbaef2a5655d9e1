"""A run's output as one answer that ends with the run: text for `curl -N`, or server-sent events.

It costs a coroutine and no thread: the files are read when a bell rings, by the live tail that WebSockets share.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime

from asgiref.sync import sync_to_async
from django.conf import settings

from runs_app.launcher.output import record_format
from runs_app.models import Run
from runs_app.output import live
from runs_app.output.live import LiveTail
from runs_app.output.script_text import BOTH, LinesFrom, ScriptText

MAX_FOLLOWERS = 100
QUIET_S = 15.0  # after this long without output an event stream says that it is still there
STILL_THERE = b": nothing new\n\n"
STREAM_NAMES = {"O": "stdout", "E": "stderr", "S": "system"}

IsWelcome = Callable[[], bool]

_followers: set[asyncio.Event] = set()


def is_full() -> bool:
    """Whether no further follower is let in. Requests that come in the same moment may be a few more."""
    return len(_followers) >= MAX_FOLLOWERS


async def text(
    run: Run, *, streams: str = BOTH, first_line: int = 1, is_welcome: IsWelcome
) -> AsyncIterator[bytes]:
    """Yield what the script wrote and writes, until the run has ended or its reader may not read any more."""
    script_text, lines = ScriptText(streams), LinesFrom(first_line)
    async for _, data in _slices(run, 0, is_welcome):
        if part := lines.of(script_text.of(data)):
            yield part


async def events(
    run: Run, *, offset: int = 0, streams: str = BOTH, is_welcome: IsWelcome
) -> AsyncIterator[bytes]:
    """Yield a server-sent event `output` for each line or piece of a line, then `end` with the status of the run.

    The id of an event is the offset in the log behind it: `offset` begins there again.
    """
    spoke_at = time.monotonic()
    async for start, data in _slices(run, offset, is_welcome):
        found = b"".join(_output_events(data, start, streams))
        if found:
            yield found
        elif time.monotonic() - spoke_at < QUIET_S:
            continue
        else:
            yield STILL_THERE
        spoke_at = time.monotonic()
    ended = await _read(run.pk)
    if ended is not None and ended.is_final:
        facts = {"status": ended.status, "reason": ended.reason, "exit_code": ended.exit_code}
        yield b"event: end\ndata: %b\n\n" % json.dumps(facts).encode()


def _output_events(data: bytes, offset: int, streams: str) -> Iterator[bytes]:
    for record in data.split(b"\n")[:-1]:
        offset += len(record) + 1
        for at_ms, stream, is_line, written in record_format.parse(record + b"\n"):
            if stream not in streams:
                continue
            shown = {
                "at": live.stamp(datetime.fromtimestamp(at_ms / 1000, tz=UTC)),
                "stream": STREAM_NAMES[stream],
                "text": written.decode("utf-8", "replace"),
                "is_line": is_line,
            }
            yield b"id: %d\nevent: output\ndata: %b\n\n" % (offset, json.dumps(shown).encode())


async def _slices(run: Run, offset: int, is_welcome: IsWelcome) -> AsyncIterator[tuple[int, bytes]]:
    # Whole records as they come, each with the offset of its start; an empty slice when nothing has come for a while.
    wake = asyncio.Event()
    _followers.add(wake)
    tail = live.watch(run, wake)
    try:
        await _tell_facts(tail, run.pk)
        checked_at = time.monotonic()
        while True:
            wake.clear()
            is_final = tail.final  # before the log: the last bytes could come in between
            while data := tail.read(offset):
                yield offset, data
                offset += len(data)
            if is_final:
                return
            if time.monotonic() - checked_at >= settings.SOCKET_RECHECK_S:
                if not await sync_to_async(is_welcome)():
                    return
                checked_at = time.monotonic()
            yield offset, b""
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(settings.SOCKET_RECHECK_S):
                    await wake.wait()
    finally:
        live.leave(run.pk, wake)
        _followers.discard(wake)


async def _tell_facts(tail: LiveTail, run_id: int) -> None:
    # The row is read after joining, so that no change falls between.
    run = await _read(run_id)
    if run is not None and tail.facts is None:
        tail.facts, tail.final = live.status_event(run), run.is_final
        tail.follow(run.folder)


@sync_to_async
def _read(run_id: int) -> Run | None:
    return Run.objects.select_related("script").filter(pk=run_id).first()
