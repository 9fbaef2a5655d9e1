"""Waiting for the end of a run in the event loop: neither a thread nor a database connection is held meanwhile."""

import asyncio
from typing import Any

from asgiref.sync import sync_to_async

from runs_app.models import Run
from runs_app.output import live, log

MAX_WAITERS = 100
MAX_WAIT_S = 60
MAX_OUTPUT_BYTES = 2**20

_waiters: set[asyncio.Event] = set()
_is_ending = False


async def facts_at_end(run_id: int, *, seconds: float) -> dict[str, Any] | None:
    """Return a run's facts once it has ended; those of now when time is up; None where too many wait already."""
    if len(_waiters) >= MAX_WAITERS:
        return None
    run = await sync_to_async(_read)(run_id)
    if run is None:
        return None
    if run.is_final:
        return live.status_event(run)
    event = asyncio.Event()
    tail = live.watch(run, event)
    _waiters.add(event)
    try:
        async with asyncio.timeout(seconds):
            # Whether it ended before this one joined the viewers.
            run = await sync_to_async(_read)(run_id)
            while run is not None and not run.is_final and not tail.final and not _is_ending:
                event.clear()
                await event.wait()
    except TimeoutError:
        pass
    finally:
        _waiters.discard(event)
        live.leave(run_id, event)
    run = await sync_to_async(_read)(run_id)
    if run is None:
        return None
    return live.status_event(run)


async def output_of(facts: dict[str, Any]) -> tuple[bytes, bool]:
    """Return the beginning of what a run wrote, and whether that is all of it."""
    return await sync_to_async(_read_output)(Run(pk=facts["id"], folder=facts["folder"]))


def release_all() -> None:
    """Let all waiters answer with what they know, as the server ends. For the event loop."""
    global _is_ending
    _is_ending = True
    for event in _waiters:
        event.set()


def _read(run_id: int) -> Run | None:
    return Run.objects.select_related("script").filter(pk=run_id).first()


def _read_output(run: Run) -> tuple[bytes, bool]:
    output = bytearray()
    for piece in log.script_bytes(run):
        output += piece
        if len(output) > MAX_OUTPUT_BYTES:
            return bytes(output[:MAX_OUTPUT_BYTES]), False
    return bytes(output), True
