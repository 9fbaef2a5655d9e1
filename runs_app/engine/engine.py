"""The engine: django-q2's pusher, workers and monitor, the ticker and the settler, as threads of the web process."""

import contextlib
import fcntl
import logging
import os
import queue
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
from django.conf import settings
from django.db import OperationalError, close_old_connections, connection, connections, transaction
from django.db.models.signals import post_save
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.models import OrmQ
from django_q.monitor import monitor
from django_q.pusher import pusher
from django_q.scheduler import scheduler as q2_scheduler
from django_q.worker import worker

from runs_app import disk_space, launcher_client, wakeup
from runs_app.admission import admission
from runs_app.engine import housekeeping, reconcile
from runs_app.engine.health_checker import Inspector
from runs_app.history import history
from runs_app.scheduler import ticker
from scripts_app.models import Environment
from scripts_app.schedules import schedules
from scripts_app.versions import drafts, versions
from tempo_site.lib import paths, waking_broker

logger = logging.getLogger(__name__)

STOP = "STOP"  # django-q2's word to its workers and its monitor
SERVE_TOGETHER = 20
# Where moments come one by one and faster than each can have a transaction, they share it with those that come soon:
# every transaction keeps everybody else from the write lock.
ROUNDS_WITHOUT_REST = 3
SERVE_TOGETHER_WITHIN = timedelta(seconds=0.05)
LOOK_S = 5.0  # the longest sleep of the ticker, so that a step of the clock is noticed
SWEEP_S = 2.0
IDLE_SWEEP_S = 5.0
FACTS_S = 10.0
IDLE_DRAFTS_S = 30.0
SETTLE_TOGETHER_S = 0.01
HOUSEKEEPING_S = 30.0
SEEN_S = 30.0
PAUSE_AFTER_ERROR_S = 1.0


class DataFolderInUse(Exception):
    """Another engine works on this data folder."""


class _Timer:
    """What q2's worker expects of a multiprocessing.Value; nobody reads it here, as no task is ever killed."""

    def __init__(self) -> None:
        self.value = -1
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def get_lock(self) -> Iterator[None]:
        """Guard the value."""
        with self._lock:
            yield


class Engine:
    """Owns the threads. One at most works on a data folder: it holds `run/engine.lock`."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._tick = threading.Event()
        self._queue: queue.Queue[Any] = queue.Queue(settings.Q_CLUSTER["queue_limit"])
        self._results: queue.Queue[Any] = queue.Queue()
        self._threads: dict[str, threading.Thread] = {}
        self._settler_woken, self._wake_settler = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._lock: int | None = None
        self._seen: dict[str, float] = {}
        self._facts: dict[str, Any] = {}
        self._facts_at = 0.0
        self._drafts_at = 0.0
        self._sweep_at = 0.0
        self.cpu_percent: float | None = (
            None  # of the machine, all cores together; None before the second look
        )

    # --- life ------------------------------------------------------------------------------------------------------
    def start(self) -> None:
        """Take the data folder, settle what was open, start the threads. Raises DataFolderInUse after 15 s."""
        self._lock = take_lock(wait_s=15.0)
        now = timezone.now()
        OrmQ.objects.all().update(lock=now)  # what a dead predecessor had taken is free again
        housekeeping.ensure_schedules(now=now)
        reconcile.at_start(now=now)
        versions.write_missing_copies()
        ticker.at_start(service_started_at=service_started_at(), now=now)
        reconcile.follow_up(now=now)
        schedules.rearmed.connect(self._on_rearmed)
        post_save.connect(self._on_environment, sender=Environment)
        self._spawn("pusher", lambda: pusher(self._queue, self._stopping, get_broker()))
        for number in range(settings.Q_CLUSTER["workers"]):
            self._spawn(
                f"worker-{number}", lambda: worker(self._queue, self._results, _Timer(), -1)
            )
        self._spawn("monitor", lambda: monitor(self._results, get_broker()))
        self._spawn("ticker", self._run_ticker)
        self._spawn("settler", self._run_settler)
        inspector = Inspector(started_at=service_started_at())
        self._spawn("inspector", lambda: inspector.run(self._stopping))
        close_old_connections()
        logger.info("engine started")

    def stop(self, *, deadline: float) -> None:
        """End the threads, in the order of the flow, until a moment of time.monotonic()."""
        self._stopping.set()
        waking_broker.ring()
        self._tick.set()
        self._join("pusher", deadline)
        workers = [name for name in self._threads if name.startswith("worker")]
        for _ in workers:
            with contextlib.suppress(queue.Full):
                self._queue.put(STOP, timeout=max(0.0, deadline - time.monotonic()))
        for name in workers:
            self._join(name, deadline)
        self._results.put(STOP)
        self._join("monitor", deadline)
        self._wake()
        self._join("ticker", deadline)
        self._join("settler", deadline)
        logger.info("engine stopped")

    def health(self) -> dict[str, Any]:
        """What /healthz says of the engine, from memory: `{part: "ok" | sentence}`."""
        dead = [name for name, thread in self._threads.items() if not thread.is_alive()]
        return {
            "database": self._facts.get("database", "not looked at yet"),
            "engine": f"threads ended: {', '.join(dead)}" if dead else "ok",
            **{name: self._sight_of(name) for name in ("ticker", "settler")},
            "launcher": self._facts.get("launcher", "not asked yet"),
            "disk": self._facts.get("disk", "not looked at yet"),
        }

    def isolation(self) -> dict[str, Any]:
        """What the launcher can give to scripts, as it says: `{"grade", "why", ...}`; empty while that is not known."""
        found = self._facts.get("isolation")
        return found if isinstance(found, dict) else {}

    def _sight_of(self, name: str) -> str:
        if name not in self._seen:
            return "has done nothing yet"
        since = time.monotonic() - self._seen[name]
        return "ok" if since < SEEN_S else f"has done no work for {since:.0f} s"

    # --- threads ---------------------------------------------------------------------------------------------------
    def _spawn(self, name: str, body: Callable[[], object]) -> None:
        thread = threading.Thread(
            target=self._keep_going, args=(name, body), name=name, daemon=True
        )
        self._threads[name] = thread
        thread.start()

    def _keep_going(self, name: str, body: Callable[[], object]) -> None:
        """q2's functions end by themselves on errors: start them again until the engine stops."""
        while True:
            try:
                body()
            except Exception as error:
                log_failure(name, error)
            if self._stopping.is_set():
                break
            logger.warning("%s ended by itself, starting it again", name)
            time.sleep(PAUSE_AFTER_ERROR_S)
        connections.close_all()

    def _join(self, name: str, deadline: float) -> None:
        # a stop in the middle of the start finds some of them
        if thread := self._threads.get(name):
            thread.join(max(0.0, deadline - time.monotonic()))

    def _run_ticker(self) -> None:
        """Serve due alarms until none is left, then sleep until the next moment."""
        housekeeping_at, rounds = 0.0, 0
        slept_for: datetime | None = None
        while not self._stopping.is_set():
            self._tick.clear()
            # A moment that was slept for has come: it is served before anything else is asked.
            next_at = slept_for if is_past(slept_for) else ticker.next_moment_at(now=timezone.now())
            slept_for = None
            if is_due := is_past(next_at):
                rounds += 1
                if rounds > ROUNDS_WITHOUT_REST and not is_past(next_at, by=SERVE_TOGETHER_WITHIN):
                    self._stopping.wait(SERVE_TOGETHER_WITHIN.total_seconds())
                self._serve(is_first=rounds == 1)
            # behind the work: a pass that fails is not a pass
            self._seen["ticker"] = time.monotonic()
            if time.monotonic() >= housekeeping_at:
                q2_scheduler(get_broker())
                housekeeping_at = time.monotonic() + HOUSEKEEPING_S
            if not is_due:
                rounds = 0
                if not self._tick.wait(seconds_until(next_at, timezone.now())):
                    slept_for = next_at

    def _serve(self, *, is_first: bool) -> None:
        """Turn due alarms into runs and let these begin at once: the task that is queued with them is their net.

        It is heard behind that: a pusher that wakes meanwhile contends for the write lock. Where more alarms are due
        than fit into one transaction the others get their rows first, and admission is left to the task.
        """
        with waking_broker.held():
            ticker.step(now=timezone.now(), at_most=SERVE_TOGETHER)
            if is_first:
                admission.admit(now=timezone.now())

    def _run_settler(self) -> None:
        """Settle at every bell; sweep and look after the house every few seconds."""
        with wakeup.listen(wakeup.STATE) as bell:
            while not self._stopping.is_set():
                try:
                    self._settle_step(bell)
                except (
                    Exception
                ) as error:  # the bell is kept: on a read-only disk no other could be hung
                    log_failure("settler", error)
                    self._facts_at = 0.0
                    self._stopping.wait(PAUSE_AFTER_ERROR_S)
            reconcile.settle_all(now=timezone.now())

    def _settle_step(self, bell: socket.socket) -> None:
        """Wait for a bell or for the time to sweep, and do what it asks for."""
        wait_s = max(0.0, self._sweep_at - time.monotonic())
        rung, _, _ = select.select([bell.fileno(), self._settler_woken], [], [], wait_s)
        if self._settler_woken in rung:
            os.read(self._settler_woken, 4096)
            self._sweep_at = 0.0
        if bell.fileno() in rung:
            # Starts go before book-keeping: rings that come close together are answered together, and a run of a few
            # milliseconds is settled once, at its end.
            self._stopping.wait(SETTLE_TOGETHER_S)
            wakeup.drain(bell)
            now = timezone.now()
            reconcile.settle_all(now=now)
            reconcile.follow_up(now=now)
        if time.monotonic() >= self._sweep_at:
            is_busy = self._sweep(timezone.now())
            self._seen["settler"] = time.monotonic()
            self._sweep_at = time.monotonic() + (SWEEP_S if is_busy else IDLE_SWEEP_S)

    def _sweep(self, now: datetime) -> bool:
        """Look at what no bell was rung for: a few short queries. Returns whether anything is going on."""
        if time.monotonic() >= self._facts_at:
            # since this thread's last look; the first one says 0
            busy = psutil.cpu_percent(interval=None)
            self.cpu_percent = busy if self._facts else None
            self._facts = {"database": database_fact(), "disk": disk_fact(), **launcher_facts()}
            is_well = all(self._facts[name] == "ok" for name in ("database", "disk", "launcher"))
            # what fails is looked at in every sweep
            self._facts_at = time.monotonic() + (FACTS_S if is_well else 0)
        is_busy = reconcile.sweep(now=now)
        reconcile.follow_up(now=now)
        if time.monotonic() >= self._drafts_at:
            self._drafts_at = time.monotonic() + IDLE_DRAFTS_S
            drafts.keep_idle(now=now)
        return history.archive_finished(now=now) > 0 or is_busy

    def _on_rearmed(self, **_: object) -> None:
        self._tick.set()

    def _on_environment(self, **_: object) -> None:
        transaction.on_commit(self._wake)

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_settler, b"x")


def log_failure(name: str, error: Exception) -> None:
    """Say that a thread failed and is tried again; a disk or a database may be away for days, that takes one line."""
    is_known = isinstance(error, OperationalError | OSError)
    logger.error(
        "%s failed, starting it again: %s", name, error, exc_info=None if is_known else error
    )


def take_lock(*, wait_s: float) -> int:
    """Hold `run/engine.lock`; waits for a predecessor that is still going down. Raises DataFolderInUse."""
    descriptor = os.open(paths.engine_lock(), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    give_up = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= give_up:
                os.close(descriptor)
                raise DataFolderInUse(f"another engine works on {paths.data()}") from None
            time.sleep(0.02)
        else:
            return descriptor


def is_running() -> bool:
    """Whether an engine works on this data folder, in this process or another."""
    try:
        descriptor = os.open(paths.engine_lock(), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def service_started_at() -> datetime:
    """When the service was started, as `serve` left it for us: the same after a restart of `web` alone.

    Not the launcher's start time from /proc, which moves with the clock on a machine that boots without one.
    """
    return datetime.fromtimestamp(int(os.environ["TEMPO_STARTED_AT"]), tz=UTC)


def is_past(moment: datetime | None, *, by: timedelta = timedelta()) -> bool:
    """Whether it has come, so long ago at least."""
    return moment is not None and moment + by <= timezone.now()


def seconds_until(moment: datetime | None, now: datetime) -> float:
    """How long the ticker may sleep: at most 5 s."""
    if moment is None:
        return LOOK_S
    return min(LOOK_S, max(0.0, (moment - now).total_seconds()))


def database_fact() -> str:
    """Whether the database answers."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Exception as error:
        return f"the database does not answer: {error}"
    return "ok"


def launcher_facts() -> dict[str, Any]:
    """Whether the launcher answers, and which isolation it can give to scripts."""
    try:
        answer = launcher_client.launcher.ping()
    except launcher_client.LauncherError as error:
        return {"launcher": str(error)}
    return {"launcher": "ok", "isolation": answer.get("isolation")}


def disk_fact() -> str:
    """Whether the disk of the data folder can be written to and is above its floor."""
    return disk_space.why_nothing_starts() or "ok"
