"""What is deleted or disabled ends what waits for it, and each due moment keeps its row."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from runs_app.admission import admission, explain, unwanted
from runs_app.execution import finish
from runs_app.models import Run
from runs_app.scheduler import ticker
from runs_app.states import Kind, Reason, Status, Trigger
from scripts_app import deletion, scripts
from scripts_app.environments import environments
from scripts_app.models import Environment, Schedule
from scripts_app.schedules import schedules
from tests.factories import NOW, make_run, make_schedule, make_script

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
Act = Callable[[Schedule], object]


def delete_script(schedule: Schedule) -> None:
    scripts.delete(schedule.script, now=NOW)


def disable_script(schedule: Schedule) -> None:
    scripts.update(schedule.script, by=None, now=NOW, enabled=False)


def delete_schedule(schedule: Schedule) -> None:
    schedules.delete(schedule)


def disable_schedule(schedule: Schedule) -> None:
    schedule.enabled = False
    schedules.save(schedule, now=NOW)


ACTS = [
    (delete_script, Reason.DELETED, "Its script was deleted."),
    (delete_schedule, Reason.DELETED, "Its schedule was deleted."),
    (disable_script, Reason.DISABLED, "Its script was disabled."),
    (disable_schedule, Reason.DISABLED, "Its schedule was disabled."),
]


@pytest.fixture
def schedule() -> Schedule:
    return make_schedule(retries=3, retry_delay_s=6)


def retry_of(schedule: Schedule) -> Run:
    """The try that a failed run of the schedule leaves behind."""
    run = make_run(schedule.script, schedule=schedule, status=Status.RUNNING, due_at=NOW)
    finish.end(run, Status.FAILED, now=NOW, reason=Reason.EXIT_CODE)
    return Run.objects.get(trigger=Trigger.RETRY)


@pytest.mark.parametrize(("act", "reason", "message"), ACTS)
def test_neither_a_retry_nor_a_queued_run_of_it_begins(
    schedule: Schedule, act: Act, reason: Reason, message: str
) -> None:
    due = make_run(schedule.script, schedule=schedule, trigger=Trigger.SCHEDULE, due_at=NOW + HOUR)
    retry = retry_of(schedule)
    act(schedule)
    assert admission.claim(now=NOW + HOUR) == [], "also before anybody has cancelled them"
    assert "will not begin" in explain.explain_waiting(retry, now=NOW).waits_for
    assert unwanted.cancel_unwanted(now=NOW + SECOND) == 2
    for run in (due, retry):
        run.refresh_from_db()
        assert (run.status, run.reason, run.explain()) == (Status.CANCELLED, reason, message)
    assert not Run.objects.active().exists(), "no further try follows a cancelled one"


def test_a_run_by_hand_waits_on_when_its_script_is_disabled(schedule: Schedule) -> None:
    run = make_run(schedule.script)
    disable_script(schedule)
    assert unwanted.cancel_unwanted(now=NOW) == 0
    assert admission.claim(now=NOW) == [run]


def test_a_run_by_hand_is_cancelled_when_its_script_is_deleted(schedule: Schedule) -> None:
    make_run(schedule.script)
    delete_script(schedule)
    assert unwanted.cancel_unwanted(now=NOW) == 1


def test_a_run_that_has_begun_goes_on(schedule: Schedule) -> None:
    make_run(schedule.script, schedule=schedule, status=Status.RUNNING, due_at=NOW)
    delete_script(schedule)
    assert unwanted.cancel_unwanted(now=NOW) == 0


def test_what_is_wanted_is_left_alone(schedule: Schedule) -> None:
    retry_of(schedule)
    assert unwanted.cancel_unwanted(now=NOW) == 0


def test_a_queued_build_ends_with_the_last_script_that_needs_it_and_comes_again() -> None:
    script = make_script(is_ready=False)
    environment = Environment.objects.get()
    build = make_run(kind=Kind.BUILD, trigger=Trigger.BUILD, environment=environment)
    assert unwanted.cancel_unwanted(now=NOW) == 0
    scripts.delete(script, now=NOW)
    assert unwanted.cancel_unwanted(now=NOW) == 1
    build.refresh_from_db()
    assert (build.status, build.reason) == (Status.CANCELLED, Reason.NOT_WANTED)
    assert environments.next_wanted() is None
    deletion.restore(script, now=NOW)
    assert environments.next_wanted() == environment


@pytest.mark.parametrize(("act", "reason", "message"), ACTS)
def test_whoever_deletes_or_disables_rings_the_bell(
    act: Act,
    reason: Reason,
    message: str,
    schedule: Schedule,
    django_capture_on_commit_callbacks: Callable[..., object],
) -> None:
    rung: list[str] = []

    def ring(**_: object) -> None:
        rung.append(message)

    schedules.disarm(schedule)
    schedules.rearmed.connect(ring)
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[attr-defined]
        act(schedule)
    assert rung


# --- moments --------------------------------------------------------------------------------------------------------
def make_once() -> Schedule:
    return make_schedule(kind=Schedule.Kind.ONCE, at=NOW + HOUR)


def tick(now: object) -> None:
    while ticker.step(now=now):  # type: ignore[arg-type]
        pass


@pytest.mark.parametrize(
    ("act", "reason", "message"), [ACTS[0], *ACTS[2:]], ids=["deleted", "script", "schedule"]
)
def test_a_single_moment_that_comes_while_it_is_switched_off_has_its_row(
    act: Act, reason: Reason, message: str
) -> None:
    once = make_once()
    act(once)
    tick(NOW + HOUR - SECOND)
    assert not Run.objects.exists()
    tick(NOW + HOUR)
    run = Run.objects.get()
    assert (run.status, run.reason, run.explain()) == (Status.SKIPPED, reason, message)
    assert (run.schedule, run.due_at, run.trigger) == (once, NOW + HOUR, Trigger.SCHEDULE)
    tick(NOW + 2 * HOUR)
    assert Run.objects.count() == 1


def test_a_single_moment_that_is_switched_on_in_time_is_served() -> None:
    once = make_once()
    disable_schedule(once)
    once.enabled = True
    schedules.save(once, now=NOW + SECOND)
    tick(NOW + HOUR)
    assert Run.objects.get().status == Status.QUEUED


def test_a_repeated_schedule_that_is_switched_off_has_no_moments(schedule: Schedule) -> None:
    disable_schedule(schedule)
    tick(NOW + HOUR)
    assert not Run.objects.exists()


def test_the_ledger_tells_how_many_may_run_at_once() -> None:
    script = make_script()
    make_schedule(script, overlap=Schedule.Overlap.PARALLEL, max_parallel=2)
    for _ in range(5):
        make_run(script)
    tick(NOW + 60 * SECOND)
    skipped = Run.objects.get(status=Status.SKIPPED)
    assert skipped.explain() == "5 runs were still going or waiting, 2 may at once."
