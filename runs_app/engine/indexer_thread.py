"""The thread that indexes the output of finished runs for the search: in batches, and never in the way of other work.

It sleeps until a run has ended. SQLite works without the lock of Python's interpreter, and after each batch the thread
rests for twice as long as the batch took.
"""

import logging
import sqlite3
import threading
import time

from django.db import connections

from runs_app.search import indexer

logger = logging.getLogger(__name__)

FIRST_S = 3.0  # after the start of the service
GATHER_S = 2.0  # runs that end within this time are indexed together
IDLE_S = 20.0  # a new connection costs as much as the index of ten small runs
MIN_REST_S = 0.05
AFTER_ERROR_S = 30.0
LOOK_S = 3600.0  # for files that were deleted, and for months of which no run is left


class IndexerThread:
    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping
        self._woken = threading.Event()

    def wake(self) -> None:
        self._woken.set()

    def run(self) -> None:
        try:
            if self._stopping.wait(FIRST_S):
                return
            indexer.start()
            while not self._stopping.is_set():
                self._index_all()
                if not self._woken.wait(IDLE_S):
                    connections.close_all()  # a connection that is seldom used would only take memory
                    self._woken.wait(LOOK_S - IDLE_S)
                self._woken.clear()
                self._stopping.wait(GATHER_S)
            indexer.stop()
        finally:
            connections.close_all()

    def _index_all(self) -> None:
        try:
            indexer.drop_old_months()
            is_more = True
            while is_more and not self._stopping.is_set():
                began = time.monotonic()
                is_more = indexer.step(gathers=True)
                rest_s = max(MIN_REST_S, 2 * (time.monotonic() - began))
                if is_more:
                    self._stopping.wait(rest_s)
        except (OSError, sqlite3.Error) as error:
            # Without the index the search reads the logs: slower, and nothing else is worse.
            logger.warning("logs could not be indexed, trying again: %s", error)
            if not self._stopping.wait(AFTER_ERROR_S):
                self.wake()
