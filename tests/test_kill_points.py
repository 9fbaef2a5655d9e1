"""What is promised when a process is killed at the very place where a run passes from hand to hand.

Each run that was accepted has one end, is executed at most once, and what is said of it is true; nobody is left behind.
"""

import contextlib
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runs_app.engine import reconcile
from tests import processes
from tests.service import ROOT, Service, wait_for
from tests.test_chaos import (
    DISARM,
    RECORD,
    SECOND,
    SEED,
    TOGETHER,
    executed,
    moment,
    runs_of,
    start,
    wait_until_quiet,
)

pytestmark = pytest.mark.slow

RUNNER = "runs_app.launcher.runner"
REGISTRY = "runs_app.launcher.runner_registry:Runners"
CLAIM = f"{RUNNER}:_claim"
START_SCRIPT = "runs_app.launcher.script_start:start"
WRITE_EXIT = "runs_app.launcher.watch.verdict:write_exit"
SECURE_EXIT = "runs_app.launcher.watch.verdict:secure_exit"
REMOVE_TMP = f"{RUNNER}:_remove_tmp"
NEXT_ORDER = f"{RUNNER}:_next_order"
HAND_ON, FORK = f"{REGISTRY}._hand_over", f"{REGISTRY}._fork"
HAND_OVER = "runs_app.execution.execution:hand_over_new"
ASK_LAUNCHER = "runs_app.launcher_client:LauncherClient.start"
END = "runs_app.execution.finish:end_in_transaction"
MARK_ARCHIVED = "runs_app.history.history:mark_archived"
TELL = "runs_app.execution.finish:_tell"
ARCHIVE = "runs_app.history.history:archive"
PLACES = (
    *(CLAIM, START_SCRIPT, WRITE_EXIT, SECURE_EXIT, REMOVE_TMP, NEXT_ORDER),
    *(HAND_ON, FORK),
    *(HAND_OVER, ASK_LAUNCHER, END, MARK_ARCHIVED, TELL, ARCHIVE),
)
LOST = {  # whether `state.json` was written yet, from which it is known that the machine is up, is a matter of 50 ms
    ("lost", "restart", why) for why in (reconcile.KILLED_OR_DOWN, reconcile.KILLED)
}
SUCCEEDED = {("succeeded", "", "")}
KILLS = 100
VICTIMS = ("web", "launcher", "runner", "runner", "runner", "runner")


class Deadly(Service):
    """A Tempo whose processes die where they are told to."""

    def __init__(self, data: Path, **extra: str) -> None:
        super().__init__(data, **extra)
        self._orders = data / "die"
        self._orders.mkdir(exist_ok=True)
        self.extra |= {
            "PYTHONPATH": str(ROOT / "tests" / "kill_points"),
            "KILL_PLACES": json.dumps(PLACES),
            "KILL_ORDERS": str(self._orders),
        }

    def tell_to_die(self, place: str, *, passes: int = 0) -> None:
        """Whoever comes to a place first, or has been there so many times, kills itself."""
        beside = self._orders / "new"
        beside.write_text(str(passes))
        beside.rename(self._orders / place)

    def has_died(self, place: str) -> bool:
        """Whether somebody has come there."""
        return not (self._orders / place).exists()

    def runners(self) -> set[int]:
        """The launcher's children that are not web."""
        return {pid for pid, _ in self.children()} - {self.web_pid()}


@pytest.fixture(scope="module")
def deadly(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deadly]:
    """One for all tests here, with a script that notes each execution."""
    with Deadly.copy_of(prepared, tmp_path_factory.mktemp("deadly") / "data") as running:
        running.make_script("Noted", RECORD)
        yield running
        running.started()
        check_folders(running)


@pytest.fixture
def service(deadly: Deadly) -> Deadly:
    return deadly.started()


def ends_since(service: Service, last: int) -> dict[int, tuple[str, str, str]]:
    """Status, reason and message of each run behind one, once nothing is under way."""
    wait_until_quiet(service)
    runs = [run for run in runs_of(service, "noted") if run["id"] > last]
    return {run["id"]: (run["status"], run["reason"], run["message"]) for run in runs}


def last_run(service: Service) -> int:
    return max((int(run["id"]) for run in runs_of(service, "noted")), default=0)


def check_executions(service: Service, ends: dict[int, Any]) -> None:
    """At most once each, and those that have succeeded once."""
    count = Counter(executed(service, "noted"))
    assert set(count.values()) <= {1}
    succeeded = {run_id for run_id, end in ends.items() if end in SUCCEEDED}
    assert succeeded <= set(count)


def check_nothing_is_left(service: Deadly) -> None:
    assert not processes.of_runs(service)
    known = {service.launcher_pid, service.web_pid()}
    wait_for(lambda: not service.runners(), what="the end of runners without a run")
    wait_for(lambda: processes.of_service(service) == known, what="the end of all others")


def check_folders(service: Service) -> None:
    """Whatever has become of the runs, nothing stays in their folders but what an archive has."""
    folders = list((service.data / "runs").glob("*/*"))
    archives = ({"run.json"}, {"run.json", "output.log"})  # the first one of a run that never wrote
    wait_for(
        lambda: all({path.name for path in folder.iterdir()} in archives for folder in folders),
        what="the folders of all runs to be archived",
    )


# --- a runner, with its second run ---------------------------------------------------------------------------------
RUNNER_DIES = [  # what becomes of the run, and whether its script was executed
    (f"before {NEXT_ORDER}", SUCCEEDED, True),
    (f"before {CLAIM}", SUCCEEDED, True),
    (f"after {CLAIM}", LOST, False),
    (f"before {START_SCRIPT}", LOST, False),
    (f"before {WRITE_EXIT}", LOST, True),
    (f"after {WRITE_EXIT}", SUCCEEDED, True),
    (f"before {SECURE_EXIT}", SUCCEEDED, True),
    (f"after {SECURE_EXIT}", SUCCEEDED, True),
    (f"after {REMOVE_TMP}", SUCCEEDED, True),
]


def test_a_runner_that_dies_with_its_second_run_takes_no_other_with_it(service: Deadly) -> None:
    before = last_run(service)
    runs = {place: runs_around_the_death(service, place) for place, _, _ in RUNNER_DIES}
    ends = ends_since(service, before)
    assert len(ends) == sum(map(len, runs.values()))
    for place, end, is_executed in RUNNER_DIES:
        others = {run_id for run_id in runs[place] if ends[run_id] not in SUCCEEDED}
        assert len(others) == (end is LOST), place
        assert {ends[run_id] for run_id in others} <= end, place
        assert others & set(executed(service, "noted")) == (others if is_executed else set()), place
    check_executions(service, ends)
    check_nothing_is_left(service)


def runs_around_the_death(service: Deadly, place: str) -> list[int]:
    """Runs one after the other, until a runner has died with one that was not its first; these, and one more."""
    service.tell_to_die(place, passes=1)
    runs = []

    def has_died() -> bool:
        runs.append(int(service.run("noted")["id"]))
        return service.has_died(place)

    wait_for(has_died, what=f"a runner to die {place}")
    return [*runs, int(service.run("noted")["id"])]


def test_a_runner_that_dies_when_its_script_has_just_begun_takes_it_along(service: Deadly) -> None:
    slug = service.make_script("Long", "import time\ntime.sleep(600)\n")
    service.run("noted")
    service.tell_to_die(f"after {START_SCRIPT}")
    run = service.finished(start(service, slug))
    assert (run["status"], run["reason"], run["message"]) in LOST
    assert not processes.of_runs(service)
    check_nothing_is_left(service)


def test_a_runner_that_is_killed_with_an_order_that_it_never_read(service: Deadly) -> None:
    before = last_run(service)
    service.run("noted")
    waiting = service.runners()
    assert waiting
    for pid in waiting:
        os.kill(pid, signal.SIGSTOP)
    orders = [start(service, "noted") for _ in waiting]
    for pid in waiting:
        os.kill(pid, signal.SIGKILL)
    for run_id in orders:
        service.finished(run_id)
    check_all_succeeded(service, before, runs=len(orders) + 1)


# --- the launcher --------------------------------------------------------------------------------------------------
@pytest.mark.chaos
def test_a_launcher_that_is_killed_while_a_runner_waits_takes_it_along(service: Deadly) -> None:
    before = last_run(service)
    service.run("noted")
    waiting = service.runners()
    assert waiting
    processes.kill_launcher(service)
    wait_for(lambda: not any(map(processes.is_running, waiting)), what="the end of the runners")
    service.start()
    service.run("noted")
    check_all_succeeded(service, before, runs=2)


@pytest.mark.chaos
@pytest.mark.parametrize(
    "place", [f"{moment} {place}" for place in (HAND_ON, FORK) for moment in ("before", "after")]
)
def test_a_launcher_that_dies_with_the_order_in_its_hands(service: Deadly, place: str) -> None:
    before = last_run(service)
    if HAND_ON in place:
        service.run("noted")
    else:
        wait_for(lambda: not service.runners(), what="the end of runners without a run")
    web = service.web_pid()
    service.tell_to_die(place)
    with contextlib.suppress(OSError):  # its answer may die with `web`
        start(service, "noted")
    assert service.process and service.process.wait(30) == -signal.SIGKILL
    wait_for(lambda: not processes.is_running(web), what="the end of web")
    service.start()
    service.run("noted")
    check_all_succeeded(service, before, runs=3 if HAND_ON in place else 2)


# --- web -----------------------------------------------------------------------------------------------------------
@pytest.mark.chaos
@pytest.mark.parametrize(
    "place", [f"before {HAND_OVER}", f"before {ASK_LAUNCHER}", f"after {ASK_LAUNCHER}"]
)
def test_a_web_that_dies_with_a_run_that_was_born_to_begin(service: Deadly, place: str) -> None:
    before = last_run(service)
    web = service.web_pid()
    service.tell_to_die(place)
    with pytest.raises(OSError):
        start(service, "noted")
    wait_for_another_web(service, web)
    service.run("noted")
    check_all_succeeded(service, before, runs=2)


@pytest.mark.chaos
@pytest.mark.parametrize(
    "place",
    [
        *(f"after {END}", f"after {MARK_ARCHIVED}", f"before {TELL}"),
        *(f"before {ARCHIVE}", f"after {ARCHIVE}"),
    ],
)
def test_a_web_that_dies_while_it_stores_several_ends(service: Deadly, place: str) -> None:
    before = last_run(service)
    web = service.web_pid()
    started = {start(service, "noted") for _ in range(5)}
    os.kill(web, signal.SIGSTOP)  # their ends are found together
    try:
        wait_for(lambda: started <= set(executed(service, "noted")), what="the five executions")
        wait_for(lambda: not processes.of_runs(service), what="ends that nobody sees")
        service.tell_to_die(place)
    finally:
        os.kill(web, signal.SIGCONT)
    wait_for(lambda: service.has_died(place), what="the death of web")
    wait_for_another_web(service, web)
    check_all_succeeded(service, before, runs=len(started))


def wait_for_another_web(service: Deadly, web: int) -> None:
    wait_for(lambda: service.web_pid() != web, what="another web")
    service.wait_until_healthy()


def check_all_succeeded(service: Deadly, before: int, *, runs: int) -> None:
    ends = ends_since(service, before)
    assert len(ends) == runs and set(ends.values()) == SUCCEEDED
    check_executions(service, ends)
    check_nothing_is_left(service)


# --- anybody, at any moment ----------------------------------------------------------------------------------------
class Load:
    """Two schedules of a second and somebody who starts runs, while processes are killed at moments drawn at random."""

    def __init__(self, service: Deadly) -> None:
        self.service = service
        self._chance = random.Random(SEED)
        self.killed: Counter[str] = Counter()
        self.asked = service.make_script("Asked", RECORD)
        ticking = [("Short", RECORD), ("Longer", f"{RECORD}\ntime.sleep(0.3)\n")]
        rhythm = {"kind": "interval", "every_s": 1, "missed": "all", "missed_cap": 100, **TOGETHER}
        self.schedules = {
            slug: service.post(f"/scripts/{slug}/schedules", rhythm)
            for slug in [service.make_script(name, code) for name, code in ticking]
        }

    def kill(self, times: int) -> None:
        for _ in range(times):
            for _ in range(3):
                with contextlib.suppress(OSError):
                    start(self.service, self.asked)
            time.sleep(self._chance.uniform(0, 0.5))
            self._kill_one(self._chance.choice(VICTIMS))

    def _kill_one(self, victim: str) -> None:
        if victim == "web":
            os.kill(self.service.web_pid(), signal.SIGKILL)
            self.service.wait_until_healthy()
        elif victim == "launcher":
            processes.kill_launcher(self.service)
            self.service.start()
        else:
            runners = sorted(self.service.runners())
            if not runners:
                return
            try:
                os.kill(self._chance.choice(runners), signal.SIGKILL)
            except ProcessLookupError:  # it went by itself
                return
        self.killed[victim] += 1

    def end(self) -> None:
        now = time.time()
        for slug, schedule in self.schedules.items():
            newest = f"/runs?script={slug}&limit=1"
            wait_for(
                lambda newest=newest: (  # type: ignore[misc]
                    moment(self.service.get(newest)["items"][0]["due_at"]).timestamp() > now
                ),
                what=f"the schedule of {slug} to catch up",
            )
            assert self.service.call("PATCH", f"/schedules/{schedule['id']}", DISARM)[0] == 200
        wait_until_quiet(self.service)


@pytest.mark.chaos
def test_whoever_is_killed_a_hundred_times_each_run_has_one_true_end(
    prepared: Path, tmp_path: Path
) -> None:
    with Deadly.copy_of(prepared, tmp_path / "service") as service:
        load = Load(service)
        load.kill(KILLS)
        load.end()
        assert load.killed.total() > KILLS / 2
        lost = 0
        for slug in (load.asked, *load.schedules):
            runs = service.all_of(f"/runs?script={slug}&limit=200")
            ends = {run["id"]: (run["status"], run["reason"], run["message"]) for run in runs}
            assert set(ends.values()) <= SUCCEEDED | LOST
            count = Counter(executed(service, slug))
            assert set(count.values()) == {1} and set(count) <= set(ends)
            assert {run_id for run_id, end in ends.items() if end in SUCCEEDED} <= set(count)
            lost += sum(end in LOST for end in ends.values())
            if slug in load.schedules:
                dues = sorted(moment(run["due_at"]) for run in runs)
                first = moment(load.schedules[slug]["next_at"])
                assert dues == [first + number * SECOND for number in range(len(dues))]
        assert lost <= load.killed["runner"]
        check_nothing_is_left(service)
        check_folders(service)
