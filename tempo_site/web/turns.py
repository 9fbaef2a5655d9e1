"""Whose turn it is among the requests: few are worked on at a time, the others wait in their order."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

AT_A_TIME = 2
TURN_S = 0.01

_turns = asyncio.Semaphore(AT_A_TIME)


@contextlib.asynccontextmanager
async def turn() -> AsyncIterator[None]:
    """Wait for a turn. It ends with the block, or when its time is over: nobody waits for a slow request.

    Threads that all want Python's one lock take it from each other at every row that SQLite returns: ten requests at
    once took up to twice the time of a core, and all of them were answered late.
    """
    await _turns.acquire()
    is_over = False

    def end() -> None:
        nonlocal is_over
        if not is_over:
            is_over = True
            _turns.release()

    clock = asyncio.get_running_loop().call_later(TURN_S, end)
    try:
        yield
    finally:
        clock.cancel()
        end()
