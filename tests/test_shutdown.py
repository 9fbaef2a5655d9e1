"""The end: asked to stop, Tempo stops in time, whatever is going on, and leaves no process behind."""

import contextlib
import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import processes
from tests.service import Service, wait_for
from tests.viewer import Viewer

pytestmark = pytest.mark.slow

SEED = 20261123
TIMES = 20  # as promised, by `make chaos`
TIMES_IN_SUITE = 10
LIMIT_S = 10.0
CALLERS = 3
VIEWERS = 2

SHORT = "print('short')\n"
TALKER = """
import time
number = 0
while True:
    print("line", number, flush=True)
    number += 1
    time.sleep(0.005)
"""
STUBBORN = """
import signal, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
print("begun", flush=True)
time.sleep(600)
"""
DAEMON = """
import os, pathlib, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        pathlib.Path("daemon.pid").write_text(str(os.getpid()))
        os.execve("/bin/sh", ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"], {})
    os._exit(0)
while not pathlib.Path("daemon.pid").exists():
    time.sleep(0.01)
print("begun", flush=True)
time.sleep(600)
"""


class Load:
    """Clients that start and list runs, and viewers of a talking script, until told to stop; errors are no concern."""

    def __init__(self, service: Service, *, short: str, talking: int) -> None:
        self._service = service
        self._short = short
        self._is_over = threading.Event()
        self.calls = 0
        self.viewers = [Viewer(service, talking) for _ in range(VIEWERS)]
        bodies: list[Callable[[], None]] = [self._call] * CALLERS + [
            viewer.watch for viewer in self.viewers
        ]
        self._threads = [threading.Thread(target=body, daemon=True) for body in bodies]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for viewer in self.viewers:
            viewer.is_closed = True
        for thread in self._threads:
            thread.join()

    def wait(self, calls: int) -> None:
        """Wait until the clients were answered so often, and every viewer has seen something."""
        wait_for(lambda: self.calls >= calls, what="calls")
        wait_for(lambda: all(viewer.offset for viewer in self.viewers), what="viewers")

    def _call(self) -> None:
        while not self._is_over.is_set():
            with contextlib.suppress(OSError):  # refused while it goes down
                self._service.call("POST", f"/scripts/{self._short}/runs", {})
                self._service.call("GET", "/runs")
                self.calls += 1


def end(service: Service, *signals: signal.Signals) -> int:
    """Signal the launcher; its exit status. Raises TimeoutExpired when it takes longer than it may."""
    assert service.process
    for number in signals:
        service.process.send_signal(number)
    return service.process.wait(LIMIT_S)


def start(service: Service, slug: str) -> int:
    """Start a run and wait until its script is at work and its row says so."""
    run_id = int(service.post(f"/scripts/{slug}/runs")["id"])
    wait_for(lambda: processes.log_of(service, run_id), what=f"output of run {run_id}")
    wait_for(lambda: service.get(f"/runs/{run_id}")["status"] == "running", what=f"run {run_id}")
    return run_id


def outcome(service: Service, run_id: int) -> tuple[str, str]:
    """Status and reason of a run."""
    run = service.get(f"/runs/{run_id}")
    return run["status"], run["reason"]


@pytest.fixture(scope="module")
def shared(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A Tempo that is ended and started again and again."""
    with Service.copy_of(prepared, tmp_path_factory.mktemp("shared") / "data") as running:
        yield running


@pytest.fixture
def service(shared: Service) -> Service:
    return shared.started()


@pytest.fixture(scope="module")
def shared_brisk(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One that gives scripts a second to end by themselves."""
    data = tmp_path_factory.mktemp("brisk") / "data"
    with Service.copy_of(prepared, data, PYSCHED_GRACE="1", PYSCHED_SHUTDOWN_GRACE="1") as running:
        yield running


@pytest.fixture
def brisk(shared_brisk: Service) -> Service:
    return shared_brisk.started()


@pytest.mark.parametrize("times", [TIMES_IN_SUITE, pytest.param(TIMES, marks=pytest.mark.chaos)])
def test_it_ends_cleanly_time_after_time_under_load_and_leaves_nothing_behind(
    service: Service, times: int
) -> None:
    short, talker = service.make_script("Short", SHORT), service.make_script("Talker", TALKER)
    chance = random.Random(SEED)
    for turn in range(times):
        talking = start(service, talker)
        with Load(service, short=short, talking=talking) as load:
            load.wait(chance.randrange(1, 10))
            assert end(service, signal.SIGTERM) == 0, f"turn {turn}"
            assert processes.of_service(service) | processes.of_runs(service) == set(), (
                f"turn {turn}"
            )
        service.start()
        assert outcome(service, talking) == ("cancelled", "shutdown")


class Impatient(Service):
    """A service whose start is not waited for."""

    def wait_until_healthy(self, limit_s: float = LIMIT_S) -> None:
        """Go on at once."""


@pytest.mark.parametrize("sign", ["listening host", "web started", "engine started", "ready"])
def test_it_ends_cleanly_wherever_it_is_in_its_start_up(
    prepared: Path, tmp_path: Path, sign: str
) -> None:
    with Impatient.copy_of(prepared, tmp_path / "service") as service:
        wait_for(lambda: sign in service.log.read_text(), what=sign)
        assert end(service, signal.SIGTERM) == 0
        assert processes.of_service(service) == set()


def test_interrupting_it_is_the_same(service: Service) -> None:
    talking = start(service, service.make_script("Talker", TALKER))
    assert end(service, signal.SIGINT) == 0
    assert processes.of_service(service) | processes.of_runs(service) == set()
    service.start()
    assert outcome(service, talking) == ("cancelled", "shutdown")


def test_a_script_that_will_not_end_is_killed_and_recorded(brisk: Service) -> None:
    run_id = start(brisk, brisk.make_script("Stubborn", STUBBORN))
    assert end(brisk, signal.SIGTERM) == 0
    assert processes.of_runs(brisk) == set()
    brisk.start()
    assert outcome(brisk, run_id) == ("cancelled", "shutdown")


def test_asked_twice_it_ends_at_once(prepared: Path, tmp_path: Path) -> None:
    with Service.copy_of(prepared, tmp_path / "service", PYSCHED_SHUTDOWN_GRACE="60") as service:
        run_id = start(service, service.make_script("Stubborn", STUBBORN))
        assert service.process
        service.process.send_signal(signal.SIGTERM)
        wait_for(lambda: "stopping" in service.log.read_text(), what="the first TERM")
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(4) == 0, "well below the grace of 6 s that is left of 60"
        assert processes.of_service(service) | processes.of_runs(service) == set()
        service.start()
        assert outcome(service, run_id) == ("cancelled", "shutdown")


def test_what_was_queued_when_it_ended_runs_at_the_next_start(
    prepared: Path, tmp_path: Path
) -> None:
    with Service.copy_of(
        prepared, tmp_path / "service", PYSCHED_MAX_CONCURRENT_RUNS="1"
    ) as service:
        short = service.make_script("Short", SHORT)
        talking = start(service, service.make_script("Talker", TALKER))
        waiting = [int(service.post(f"/scripts/{short}/runs")["id"]) for _ in range(3)]
        assert end(service, signal.SIGTERM) == 0
        service.start()
        assert outcome(service, talking) == ("cancelled", "shutdown")
        assert [service.finished(run_id)["status"] for run_id in waiting] == ["succeeded"] * 3


def test_a_cancel_ends_a_daemon_that_left_its_session_and_ignores_term(brisk: Service) -> None:
    slug = brisk.make_script("Daemon", DAEMON)
    run_id = start(brisk, slug)
    daemon = int((brisk.data / "scripts" / slug / "files" / "daemon.pid").read_text())
    runner = processes.runner_of(brisk, run_id)
    brisk.post(f"/runs/{run_id}/cancel")
    run = brisk.finished(run_id)
    assert (run["status"], run["reason"]) == ("cancelled", "user")
    assert processes.of_run(brisk, run_id) == set()
    assert not processes.is_running(daemon)
    wait_for(lambda: not processes.is_running(runner), what="the end of the runner")


def test_a_start_behind_a_killed_launcher_leaves_no_orphan_of_it(brisk: Service) -> None:
    run_id = start(brisk, brisk.make_script("Stubborn", STUBBORN))
    runner = processes.runner_of(brisk, run_id)
    processes.kill_launcher(brisk)
    brisk.start()
    assert end(brisk, signal.SIGTERM) == 0, "the adopted run is ended like one of its own"
    assert not processes.is_running(runner)
    assert processes.of_runs(brisk) == set()


def test_the_terminal_s_ctrl_c_reaches_the_launcher_alone(service: Service) -> None:
    runner = processes.runner_of(service, start(service, service.make_script("Talker", TALKER)))
    groups = {os.getpgid(pid) for pid in (service.web_pid(), runner)}
    assert os.getpgid(service.launcher_pid) not in groups


def test_the_ten_seconds_of_a_container_s_stop_are_enough_for_whoever_ignores_term(
    service: Service,
) -> None:
    stubborn, daemon = (
        service.make_script("Stubborn", STUBBORN),
        service.make_script("Daemon", DAEMON),
    )
    runs = [start(service, slug) for slug in (stubborn, stubborn, daemon)]
    assert end(service, signal.SIGTERM) == 0, "with the graces that are the defaults"
    assert processes.of_service(service) | processes.of_runs(service) == set()
    service.start()
    assert [outcome(service, run_id) for run_id in runs] == [("cancelled", "shutdown")] * 3
