"""The engine: django-q2's pusher, workers and monitor, the ticker and the settler, as threads of the web process."""

import contextlib
import fcntl
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import close_old_connections, connections, transaction
from django.db.models.signals import post_save
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.models import OrmQ
from django_q.monitor import monitor
from django_q.pusher import pusher
from django_q.worker import worker

from runs_app import launcher_client
from runs_app.engine import housekeeping, reconcile, self_check
from runs_app.engine.health_checker import HealthChecker
from runs_app.engine.indexer_thread import IndexerThread
from runs_app.engine.settler_thread import SettlerThread, log_failure
from runs_app.engine.ticker_thread import TickerThread
from runs_app.programs import backup
from runs_app.scheduler import ticker
from runs_app.signals import engine_stopped, run_finished, search_degraded
from scripts_app.environments import environments
from scripts_app.exchange import placing
from scripts_app.models import Environment
from scripts_app.schedules import schedules
from scripts_app.versions import versions
from tempo_site.backups.signals import released
from tempo_site.lib import paths, waking_broker

logger = logging.getLogger(__name__)

STOP = "STOP"  # django-q2's word to its workers and its monitor
MAX_SILENCE_S = 30.0  # of a thread that is well
LOCK_TIMEOUT_S = 15.0
PAUSE_AFTER_ERROR_S = 1.0


class DataFolderInUse(Exception):
    pass


class _Timer:
    # What q2's worker expects of a multiprocessing.Value; nobody reads it here, as no task is ever killed.
    def __init__(self) -> None:
        self.value = -1
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def get_lock(self) -> Iterator[None]:
        with self._lock:
            yield


class Engine:
    """Owns the threads. At most a single engine works on a data folder: the owner of `run/engine.lock`."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._queue: queue.Queue[Any] = queue.Queue(settings.Q_CLUSTER["queue_limit"])
        self._results: queue.Queue[Any] = queue.Queue()
        self._threads: dict[str, threading.Thread] = {}
        self._lock: int | None = None
        self.ticker = TickerThread(self._stopping)
        self.settler = SettlerThread(self._stopping)
        self.indexer = IndexerThread(self._stopping)

    # --- life ------------------------------------------------------------------------------------------------------
    def start(self) -> None:
        """Take the data folder, reconcile open runs, start the threads. Raises DataFolderInUse after 15 s."""
        self._lock = self.settler.self_check.engine_lock = take_lock(wait_s=LOCK_TIMEOUT_S)
        with contextlib.suppress(launcher_client.LauncherError):
            launcher_client.launcher.ping()  # answered once what a predecessor left has been ended
        now = timezone.now()
        OrmQ.objects.all().update(lock=now)  # what a dead predecessor had taken is free again
        housekeeping.ensure_schedules(now=now)
        reconcile.at_start(now=now)
        backup.give_up_abandoned()
        versions.write_missing_copies()
        placing.finish_all()
        ticker.at_start(service_started_at=service_started_at(), now=now)
        reconcile.follow_up(now=now)
        schedules.rearmed.connect(self._on_rearmed)
        released.connect(self._on_rearmed)
        post_save.connect(self._on_environment, sender=Environment)
        environments.requested.connect(self._on_environment)
        run_finished.connect(self._on_work_for_indexer)
        search_degraded.connect(self._on_work_for_indexer)
        self._start_threads()
        close_old_connections()
        logger.info("engine started")

    def _start_threads(self) -> None:
        health_checker = HealthChecker(started_at=service_started_at())
        self._spawn("pusher", lambda: pusher(self._queue, self._stopping, get_broker()))
        for number in range(settings.Q_CLUSTER["workers"]):
            self._spawn(f"worker-{number}", self._run_worker)
        self._spawn("monitor", lambda: monitor(self._results, get_broker()))
        self._spawn("ticker", self.ticker.run)
        self._spawn("settler", self.settler.run)
        self._spawn("inspector", lambda: health_checker.run(self._stopping))
        self._spawn("indexer", self.indexer.run)

    def stop(self, *, deadline: float) -> None:
        self._stopping.set()
        waking_broker.ring()
        self.ticker.wake()
        self._join("pusher", deadline)
        workers = [name for name in self._threads if name.startswith("worker")]
        for _ in workers:
            with contextlib.suppress(queue.Full):
                self._queue.put(STOP, timeout=max(0.0, deadline - time.monotonic()))
        for name in workers:
            self._join(name, deadline)
        self._results.put(STOP)
        self._join("monitor", deadline)
        self.settler.wake()
        self.indexer.wake()
        self._join("ticker", deadline)
        self._join("settler", deadline)
        self._join("indexer", deadline)
        engine_stopped.send_robust(None)
        logger.info("engine stopped")

    def health(self) -> dict[str, Any]:
        findings = self.settler.self_check.findings
        parts = {
            "engine": self._describe_threads(),
            "ticker": _describe_silence(self.ticker.last_pass_at),
            "settler": _describe_silence(self.settler.last_pass_at),
        }
        for name in self_check.PARTS:
            parts[name] = findings.get(name, "not looked at yet")
        return parts

    def isolation(self) -> dict[str, Any]:
        return self.settler.self_check.isolation

    @property
    def cpu_percent(self) -> float | None:
        return self.settler.self_check.cpu_percent

    # --- threads ---------------------------------------------------------------------------------------------------
    def _spawn(self, name: str, body: Callable[[], object]) -> None:
        thread = threading.Thread(
            target=self._keep_going,
            args=(name, body),
            name=name,
            daemon=True,
        )
        self._threads[name] = thread
        thread.start()

    def _keep_going(self, name: str, body: Callable[[], object]) -> None:
        # q2's functions end by themselves on errors: they are started again until the engine stops.
        while True:
            try:
                body()
            except* Exception as failures:  # of several duties, or the only one
                for error in failures.exceptions:
                    log_failure(name, error)
            if self._stopping.is_set():
                break
            logger.warning("%s ended by itself, starting it again", name)
            time.sleep(PAUSE_AFTER_ERROR_S)
        connections.close_all()

    def _join(self, name: str, deadline: float) -> None:
        thread = self._threads.get(name)
        if thread:  # a stop in the middle of the start finds some of them
            thread.join(max(0.0, deadline - time.monotonic()))

    def _run_worker(self) -> None:
        worker(self._queue, self._results, _Timer(), -1)

    def _describe_threads(self) -> str:
        ended = [name for name, thread in self._threads.items() if not thread.is_alive()]
        if not ended:
            return "ok"
        return f"threads ended: {', '.join(ended)}"

    # Methods, and not closures: signals hold their receivers weakly.
    def _on_rearmed(self, **_: object) -> None:
        self.ticker.wake()
        self.settler.wake()

    def _on_work_for_indexer(self, **_: object) -> None:
        self.indexer.wake()

    def _on_environment(self, **_: object) -> None:
        transaction.on_commit(self.settler.wake)


def _describe_silence(last_pass_at: float | None) -> str:
    if last_pass_at is None:
        return "has done nothing yet"
    silent_s = time.monotonic() - last_pass_at
    if silent_s < MAX_SILENCE_S:
        return "ok"
    return f"has done no work for {silent_s:.0f} s"


def take_lock(*, wait_s: float) -> int:
    """Hold `run/engine.lock`; waits for a predecessor that is still going down. Raises DataFolderInUse."""
    descriptor = os.open(paths.engine_lock(), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    give_up_at = time.monotonic() + wait_s
    while not _lock(descriptor):
        if time.monotonic() >= give_up_at:
            os.close(descriptor)
            raise DataFolderInUse(f"another engine works on {paths.data()}")
        time.sleep(0.02)
    return descriptor


def is_running() -> bool:
    try:
        descriptor = os.open(paths.engine_lock(), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _lock(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def service_started_at() -> datetime:
    # Not the launcher's start time from /proc, which moves with the clock on a machine that boots without one. The
    # fraction counts: the service before may have done its last work in the same second.
    return datetime.fromtimestamp(float(os.environ["TEMPO_STARTED_AT"]), tz=UTC)
