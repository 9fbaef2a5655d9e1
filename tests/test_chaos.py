"""What is promised when processes are killed: nothing is lost, nothing happens twice, nothing is left behind."""

import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests import processes
from tests.service import Service, wait_for
from tests.viewer import LIMIT_S, Viewer

pytestmark = pytest.mark.slow

SEED = 20261123
CHAOS_S = 30.0
KILLS = 10
FROZEN_S = [
    5.0,
    pytest.param(60.0, marks=pytest.mark.chaos),
]  # the whole of what is promised: `make chaos`
CODES = (0, 3, 4, 5, 6)  # what the five scheduled scripts exit with
SECOND = timedelta(seconds=1)
TOGETHER = {"overlap": "parallel", "max_parallel": 20}
# A pause: what is queued already still runs, as it would not when the schedule is switched off.
DISARM = {"paused_until": "2099-01-01T00:00:00Z"}
ACTIVE = ("queued", "starting", "running")

# Each execution leaves one line: appending so little is atomic.
RECORD = """
import os, pathlib, sys, time
with open("executed.txt", "a") as file:
    file.write(os.environ["TEMPO_RUN_ID"] + "\\n")
"""
EXIT = RECORD + "raise SystemExit({code})\n"
GATED = (
    RECORD
    + """
print("begun", flush=True)
while not pathlib.Path("gate").exists():
    time.sleep(0.01)
print("done")
"""
)
COUNTER = """
import pathlib, time
gate, number = pathlib.Path("gate"), 0
while not gate.exists():
    print("line", number)
    number += 1
    time.sleep(0.01)
print("lines", number)
"""
FAMILY = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)
print("begun", flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def shared(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One Tempo for most tests here: each makes scripts of its own and leaves none at work."""
    with Service.copy_of(prepared, tmp_path_factory.mktemp("chaos") / "data") as running:
        yield running


@pytest.fixture
def service(shared: Service) -> Service:
    return shared.started()


@pytest.fixture
def own(prepared: Path, tmp_path: Path) -> Iterator[Service]:
    """A Tempo for one test, whatever that leaves behind."""
    with Service.copy_of(prepared, tmp_path / "service") as running:
        yield running


@pytest.fixture
def narrow(prepared: Path, tmp_path: Path) -> Iterator[Service]:
    """A Tempo in which two runs at most are under way."""
    with Service.copy_of(
        prepared, tmp_path / "service", PYSCHED_MAX_CONCURRENT_RUNS="2"
    ) as running:
        yield running


def files_of(service: Service, slug: str) -> Path:
    """A script's working folder."""
    return service.data / "scripts" / slug / "files"


def executed(service: Service, slug: str) -> list[int]:
    """The run of each execution of a script, as it noted itself."""
    try:
        return [
            int(line) for line in (files_of(service, slug) / "executed.txt").read_text().split()
        ]
    except FileNotFoundError:
        return []


def runs_of(service: Service, slug: str) -> list[dict[str, Any]]:
    """All runs of a script."""
    answer = service.get(f"/runs?script={slug}&limit=200")
    assert answer["next_cursor"] is None
    return list(answer["items"])


def start(service: Service, slug: str) -> int:
    """Start a run."""
    return int(service.post(f"/scripts/{slug}/runs")["id"])


def wait_for_begin(service: Service, run_id: int) -> None:
    """Wait until the script of a run is at work, and the row says so."""
    wait_for(lambda: b"begun" in processes.log_of(service, run_id), what=f"run {run_id} to begin")
    wait_for(
        lambda: service.get(f"/runs/{run_id}")["status"] == "running",
        what=f"the row of run {run_id}",
    )


def wait_until_quiet(service: Service) -> None:
    """Wait until no run is active and the queue is empty."""

    def is_quiet() -> bool:
        return not any(
            service.get(f"/runs?kind=all&limit=1&status={status}")["items"] for status in ACTIVE
        )

    wait_for(is_quiet, what="the end of all runs")
    wait_for(lambda: queue_length(service) == 0, what="an empty queue")


def queue_length(service: Service) -> int:
    """Rows in django-q2's queue."""
    with contextlib.closing(sqlite3.connect(service.data / "tempo.sqlite3")) as database:
        return int(database.execute("SELECT count(*) FROM django_q_ormq").fetchone()[0])


def moment(text: str) -> datetime:
    """A time of the API."""
    return datetime.fromisoformat(text)


def last_due(service: Service, slug: str) -> float:
    """The latest due moment that has a row, as seconds since the epoch."""
    return max((moment(run["due_at"]).timestamp() for run in runs_of(service, slug)), default=0.0)


class Chaos:
    """Five schedules of one second and a talking script with its viewer, while `web` is killed."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.slugs = {
            service.make_script(f"Exit {code}", EXIT.format(code=code)): code for code in CODES
        }
        self.counter = service.make_script("Counter", COUNTER)
        self.counting = start(service, self.counter)
        self.viewer = Viewer(service, self.counting)
        self._watching = threading.Thread(target=self.viewer.watch)
        rhythm = {"kind": "interval", "every_s": 1, "missed": "all", "missed_cap": 100, **TOGETHER}
        self.schedules = {
            slug: service.post(f"/scripts/{slug}/schedules", rhythm) for slug in self.slugs
        }

    def __enter__(self) -> "Chaos":
        self._watching.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.viewer.is_closed = True

    def kill_web(self) -> None:
        """Kill `web` at moments drawn at random, whatever it is at: its start-up too."""
        chance = random.Random(SEED)
        moments = sorted(chance.uniform(0, CHAOS_S) for _ in range(KILLS))
        killed: set[int] = set()
        begin = time.monotonic()
        for at in moments:
            time.sleep(max(0.0, begin + at - time.monotonic()))
            # Two moments may be so near that the one before is not buried yet.
            wait_for(lambda: self.service.web_pid() not in killed, what="another web")
            web = self.service.web_pid()
            os.kill(web, signal.SIGKILL)
            killed.add(web)
        time.sleep(max(0.0, begin + CHAOS_S - time.monotonic()))
        self.service.wait_until_healthy()
        assert self.service.log.read_text().count("web exited signal=SIGKILL") == KILLS

    def end(self) -> None:
        """Let every moment up to now be served, disarm the schedules, end the talking script."""
        now = time.time()
        for slug, schedule in self.schedules.items():
            self._wait_for_due(slug, now)
            assert self.service.call("PATCH", f"/schedules/{schedule['id']}", DISARM)[0] == 200
        (files_of(self.service, self.counter) / "gate").touch()
        wait_until_quiet(self.service)
        self._watching.join(LIMIT_S)

    def _wait_for_due(self, slug: str, epoch_s: float) -> None:
        """Wait until a due moment behind this one has a row."""

        def is_served() -> bool:
            latest = self.service.get(f"/runs?script={slug}&limit=1")["items"][0]
            return moment(latest["due_at"]).timestamp() > epoch_s

        wait_for(is_served, what=f"the schedule of {slug} to catch up")


def test_killing_web_ten_times_loses_no_moment_no_status_and_no_line(own: Service) -> None:
    with Chaos(own) as chaos:
        chaos.kill_web()
        chaos.end()
    for slug, code in chaos.slugs.items():
        runs = runs_of(own, slug)
        dues = sorted(moment(run["due_at"]) for run in runs)
        first = moment(chaos.schedules[slug]["next_at"])
        assert dues == [first + number * SECOND for number in range(len(runs))], (
            "each due moment has one row"
        )
        assert len(runs) >= CHAOS_S - 1
        assert {(run["status"], run["exit_code"]) for run in runs} == {
            ("failed" if code else "succeeded", code)
        }
        assert sorted(executed(own, slug)) == sorted(run["id"] for run in runs), (
            "each run was executed once"
        )
    written = processes.log_of(own, chaos.counting).decode()
    lines = [record.split(" ", 3)[3] for record in written.splitlines()]
    assert lines == [
        *(f"line {number}" for number in range(len(lines) - 1)),
        f"lines {len(lines) - 1}",
    ]
    assert chaos.viewer.text == written
    assert chaos.viewer.connections > 1


def test_a_killed_runner_takes_its_whole_tree_along_and_nobody_else(service: Service) -> None:
    family, other = service.make_script("Family", FAMILY), service.make_script("Other", GATED)
    lost, kept = start(service, family), start(service, other)
    wait_for_begin(service, lost)
    wait_for_begin(service, kept)
    assert len(processes.of_run(service, lost)) == 2, "the script and its daemon"
    os.kill(processes.runner_of(service, lost), signal.SIGKILL)
    run = service.finished(lost)
    assert (run["status"], run["reason"]) == ("lost", "restart")
    wait_for(lambda: not processes.of_run(service, lost), what="the end of its tree")
    (files_of(service, other) / "gate").touch()
    assert service.finished(kept)["status"] == "succeeded"


def test_after_the_death_of_everything_queued_runs_run_once_and_running_ones_are_lost(
    narrow: Service,
) -> None:
    slug = narrow.make_script("Gated", GATED)
    running = [start(narrow, slug) for _ in range(2)]
    queued = [start(narrow, slug) for _ in range(3)]
    for run_id in running:
        wait_for_begin(narrow, run_id)
    processes.kill_everything(narrow)
    (files_of(narrow, slug) / "gate").touch()
    narrow.start()
    wait_until_quiet(narrow)
    status = {run["id"]: run["status"] for run in runs_of(narrow, slug)}
    assert status == dict.fromkeys(running, "lost") | dict.fromkeys(queued, "succeeded")
    assert sorted(executed(narrow, slug)) == running + queued


def test_a_launcher_that_dies_takes_web_along_but_no_script(service: Service) -> None:
    slug, patient = service.make_script("Early", GATED), service.make_script("Late", GATED)
    early, late = start(service, slug), start(service, patient)
    wait_for_begin(service, early)
    wait_for_begin(service, late)
    processes.kill_launcher(service)
    (files_of(service, slug) / "gate").touch()  # this one ends while nobody is there
    wait_for(lambda: not processes.of_run(service, early), what="the end of the early one")
    assert processes.of_run(service, late), "the late one goes on"
    service.start()
    assert service.finished(early)["status"] == "succeeded"
    assert service.get(f"/runs/{late}")["status"] == "running"
    (files_of(service, patient) / "gate").touch()
    assert service.finished(late)["exit_code"] == 0
    assert b"done" in processes.log_of(service, late)


def test_an_adopted_run_can_be_cancelled(service: Service) -> None:
    slug = service.make_script("Family", FAMILY)
    run_id = start(service, slug)
    wait_for_begin(service, run_id)
    processes.kill_launcher(service)
    service.start()
    service.post(f"/runs/{run_id}/cancel")
    assert service.finished(run_id)["status"] == "cancelled"
    assert not processes.of_run(service, run_id)


def disable_when_caught_up(service: Service, slug: str, schedule: dict[str, Any]) -> None:
    """Wait until every moment up to now has its row, then let no further one come."""
    now = time.time()
    wait_for(lambda: last_due(service, slug) > now, what="the schedule to catch up")
    assert service.call("PATCH", f"/schedules/{schedule['id']}", DISARM)[0] == 200


@pytest.mark.parametrize("seconds", FROZEN_S)
def test_a_web_that_is_frozen_for_a_while_misses_nothing(service: Service, seconds: float) -> None:
    ticking = service.make_script("Ticking", EXIT.format(code=0))
    gated = service.make_script("Gated", GATED)
    short = service.make_script("Short", EXIT.format(code=3))
    rhythm = {"kind": "interval", "every_s": 1, "missed": "all", "missed_cap": 100, **TOGETHER}
    schedule = service.post(f"/scripts/{ticking}/schedules", rhythm)
    waiting = start(service, gated)
    wait_for_begin(service, waiting)
    web = service.web_pid()
    started = [start(service, short) for _ in range(5)]
    os.kill(web, signal.SIGSTOP)  # wherever each of those five stands
    try:
        (files_of(service, gated) / "gate").touch()
        wait_for(lambda: not processes.of_run(service, waiting), what="an end that nobody sees")
        time.sleep(seconds)
    finally:
        os.kill(web, signal.SIGCONT)
    disable_when_caught_up(service, ticking, schedule)
    assert service.finished(waiting)["status"] == "succeeded"
    assert {service.finished(run_id)["exit_code"] for run_id in started} == {3}
    wait_until_quiet(service)
    runs = runs_of(service, ticking)
    dues = sorted(moment(run["due_at"]) for run in runs)
    assert dues == [moment(schedule["next_at"]) + number * SECOND for number in range(len(runs))]
    ends = {(run["status"], run["reason"], run["message"]) for run in runs}
    assert ends == {("succeeded", "", "")}
    assert sorted(executed(service, ticking)) == sorted(run["id"] for run in runs)
    assert sorted(executed(service, short)) == started
    assert service.web_pid() == web, "nobody took it for dead"


def test_a_bystander_with_the_number_of_a_dead_runner_is_left_alone(service: Service) -> None:
    run_id = start(service, service.make_script("Family", FAMILY))
    wait_for_begin(service, run_id)
    state = processes.folder_of(service, run_id) / "state.json"
    processes.kill_everything(service)
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as bystander:
        try:
            numbers = {"runner_pid": bystander.pid, "script_pid": bystander.pid}
            state.write_text(json.dumps(json.loads(state.read_bytes()) | numbers))
            service.start()
            assert service.finished(run_id)["status"] == "lost"
            assert service.call("POST", f"/runs/{run_id}/cancel")[0] == 409
            assert service.stop() == 0
            assert bystander.poll() is None
        finally:
            bystander.kill()


# --- between the commit of a run and its hand-over -----------------------------------------------------------------
DIE_BEFORE_HAND_OVER = """
import os, pathlib, signal, sys, threading, time

MARKER = pathlib.Path({marker!r})


def die_once():
    module = None
    while module is None or not hasattr(module, "hand_over_new"):
        time.sleep(0.01)
        module = sys.modules.get("runs_app.execution.execution")
    hand_over = module.hand_over_new

    def hand_over_new(run, **fields):
        if MARKER.exists():
            MARKER.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return hand_over(run, **fields)

    module.hand_over_new = hand_over_new


if sys.argv[1:2] == ["web"]:
    threading.Thread(target=die_once, daemon=True).start()
"""


@pytest.fixture
def deadly(prepared: Path, tmp_path: Path) -> Iterator[Service]:
    """A Tempo whose `web` dies behind the commit of a run that was born `starting`, each time a marker is there."""
    marker = tmp_path / "service" / "die"
    (tmp_path / "python").mkdir()
    (tmp_path / "python" / "sitecustomize.py").write_text(
        DIE_BEFORE_HAND_OVER.format(marker=str(marker))
    )
    with Service.copy_of(
        prepared, tmp_path / "service", PYTHONPATH=str(tmp_path / "python")
    ) as running:
        yield running


def test_a_run_that_was_born_and_not_handed_over_runs_once_after_the_restart(
    deadly: Service,
) -> None:
    slug = deadly.make_script("Born", EXIT.format(code=0))
    marker = deadly.data / "die"
    marker.touch()
    with pytest.raises(OSError):
        start(deadly, slug)  # its answer dies with `web`
    deadly.wait_until_healthy()
    marker.touch()
    in_a_moment = datetime.now(UTC) + 3 * SECOND
    deadly.post(f"/scripts/{slug}/schedules", {"kind": "once", "at": in_a_moment.isoformat()})
    wait_for(lambda: not marker.exists(), what="the death of web at the due moment")
    deadly.wait_until_healthy()
    wait_until_quiet(deadly)
    runs = runs_of(deadly, slug)
    assert [(run["status"], run["trigger"]) for run in runs] == [
        ("succeeded", "schedule"),
        ("succeeded", "api"),
    ]
    assert sorted(executed(deadly, slug)) == sorted(run["id"] for run in runs)
    assert deadly.log.read_text().count("web exited signal=SIGKILL") == 2
