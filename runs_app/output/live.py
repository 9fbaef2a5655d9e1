"""Live facts and output, pushed to the pages that are open now. No rule depends on a push arriving."""

import asyncio
import logging
import math
import socket
import time
from collections import OrderedDict
from collections.abc import Coroutine
from datetime import datetime
from pathlib import Path
from typing import Any

from channels.layers import get_channel_layer
from django.db import transaction

from runs_app import wakeup
from runs_app.models import Run
from runs_app.output import log, records, stored_log
from runs_app.output.stored_log import StoredLog
from tempo_site.lib import paths

logger = logging.getLogger(__name__)

EVENTS = "events"  # the group of all pages that show lists
SHARED_FRAMES = 8
LOOK_S = (
    1.0  # datagrams may be dropped: while a page watches, the files are looked at once a second
)

_loop: asyncio.AbstractEventLoop | None = None
# Hung while somebody watches: else each run would wake the loop for nothing.
_bell: socket.socket | None = None
_next_look: asyncio.TimerHandle | None = None
_last_fact_at = -math.inf  # by the monotonic clock
_tails: dict[int, "LiveTail"] = {}
_pending: set[asyncio.Task[None]] = set()


class LiveTail:
    def __init__(self, folder: str) -> None:
        self.path: Path | None = None
        self.follow(folder)
        self.wakes: set[asyncio.Event] = set()
        self.final = False
        self.facts: dict[str, Any] | None = None
        self._log: StoredLog | None = None
        self._frames: OrderedDict[int, bytes] = OrderedDict()

    def follow(self, folder: str) -> None:
        """Read the log in this run folder from now on; "" (the run has no folder yet) changes nothing."""
        if folder:
            self.path = paths.run_folder(folder) / log.LOG

    def size(self) -> int:
        stored = self._open()
        return stored.size if stored is not None else 0

    def read(self, offset: int) -> bytes:
        """Return whole records from `offset`, at most 64 KiB; viewers at the same place share one read."""
        if offset in self._frames:
            return self._frames[offset]
        stored = self._open()
        if stored is None:
            return b""
        data = records.cut(stored.pread(records.SLICE_BYTES, offset))
        # A short read may grow, a long one will be asked for again.
        if len(data) > records.SLICE_BYTES // 2:
            self._frames[offset] = data
            if len(self._frames) > SHARED_FRAMES:
                self._frames.popitem(last=False)
        return data

    def start_of_last(self, limit: int) -> int:
        begin = max(0, self.size() - limit)
        if begin == 0 or self._log is None:
            return 0
        data = self._log.pread(records.SLICE_BYTES, begin)
        return begin + data.find(b"\n") + 1

    def wake(self) -> None:
        for event in self.wakes:
            event.set()

    def close(self) -> None:
        if self._log is not None:
            self._log.close()
            self._log = None

    def _open(self) -> StoredLog | None:
        if self._log is None and self.path is not None:
            try:
                self._log = stored_log.open_stored(self.path)
            except OSError:
                return None
        return self._log


def watch(run: Run, event: asyncio.Event) -> LiveTail:
    """Join the viewers of a run (event loop only); the event is set whenever there may be more output."""
    if _next_look is None:
        _listen()
    tail = _tails.get(run.pk)
    if tail is None:
        tail = _tails[run.pk] = LiveTail(run.folder)
    tail.wakes.add(event)
    return tail


def leave(run_id: int, event: asyncio.Event) -> None:
    tail = _tails.get(run_id)
    if tail is None:
        return
    tail.wakes.discard(event)
    if not tail.wakes:
        tail.close()
        del _tails[run_id]


def attach(loop: asyncio.AbstractEventLoop) -> None:
    """Begin to push: called once by the server, with its loop."""
    global _loop
    _loop = loop


def detach() -> None:
    global _loop, _next_look
    if _next_look is not None:
        _next_look.cancel()
        _next_look = None
    _take_bell_down()
    _loop = None


def publish(run: Run) -> None:
    """Push a run's facts to open pages once the surrounding transaction is committed; from any thread."""
    if _loop is not None:
        transaction.on_commit(lambda: _tell(run), robust=True)


def _tell(run: Run) -> None:
    # The moment first: a page that begins to listen meanwhile joins the others, and then looks at the moment.
    global _last_fact_at
    _last_fact_at = time.monotonic()
    if _loop is not None and _is_heard(run):
        # A channel layer used from another thread delivers late, so the loop does the sending.
        _loop.call_soon_threadsafe(_deliver, status_event(run))


def _is_heard(run: Run) -> bool:
    return run.pk in _tails or EVENTS in get_channel_layer().groups


def was_told_within(seconds: float) -> bool:
    """Say whether a fact went out in the last `seconds`: a page that took so long to listen has not heard it."""
    return time.monotonic() - _last_fact_at <= seconds


def status_event(run: Run) -> dict[str, Any]:
    return {
        "id": run.pk,
        "kind": run.kind,
        "script": run.script.slug if run.script else None,
        "name": run.script.name if run.script else None,
        "folder": run.folder,
        "status": run.status,
        "reason": run.reason,
        "message": run.explain(),
        "exit_code": run.exit_code,
        "signal": run.signal,
        "final": run.is_final,
        "created_at": stamp(run.created_at),
        "started_at": stamp(run.started_at),
        "finished_at": stamp(run.finished_at),
        "duration_s": run.duration_s,
    }


def stamp(moment: datetime | None) -> str | None:
    """Return a moment in ISO 8601, UTC, to the millisecond."""
    if moment is None:
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _deliver(message: dict[str, Any]) -> None:
    tail = _tails.get(message["id"])
    if tail is not None:
        tail.facts, tail.final = message, message["final"]
        tail.follow(message["folder"])
        tail.wake()
    public = {key: value for key, value in message.items() if key != "folder"}
    layer = get_channel_layer()
    _in_background(layer.group_send(EVENTS, {"type": "fact", "run": public}))


def _in_background(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.ensure_future(work)
    _pending.add(task)  # the loop itself keeps only weak references
    task.add_done_callback(_pending.discard)


def _on_bell() -> None:
    if _bell is not None:
        wakeup.drain(_bell)
    for tail in _tails.values():
        tail.wake()


def _listen() -> None:
    global _next_look
    if _loop is not None:
        _hang_bell(_loop)
        _next_look = _loop.call_later(LOOK_S, _look_again)


def _look_again() -> None:
    global _next_look
    _next_look = None
    if not _tails:
        _take_bell_down()
        return
    for tail in _tails.values():
        tail.wake()
    _listen()


def _hang_bell(loop: asyncio.AbstractEventLoop) -> None:
    # Where it cannot be hung, as on a read-only disk, the looks do for it.
    global _bell
    hung = wakeup.hung(_bell, wakeup.OUTPUT)
    if hung is None or hung is _bell:
        return
    _take_bell_down()
    _bell = hung
    loop.add_reader(_bell, _on_bell)


def _take_bell_down() -> None:
    global _bell
    if _bell is None:
        return
    if _loop is not None:
        _loop.remove_reader(_bell)
    _bell.close()
    _bell = None
