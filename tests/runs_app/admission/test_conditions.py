"""What a run waits for is written once: admission keeps it back for exactly what people are told."""

from collections.abc import Callable
from datetime import timedelta
from itertools import combinations

import pytest
from pytest_django import Settings

from runs_app import disk_space
from runs_app.admission import admission, explain
from runs_app.models import Run
from runs_app.programs import wait_conditions
from runs_app.programs.registry import PROGRAMS
from runs_app.programs.wait_conditions import Condition, Situation
from runs_app.states import Kind, Status, Trigger
from scripts_app.models import Environment, Schedule
from tempo_site.backups import replacing
from tempo_site.lib import paths
from tests.factories import NOW, make_run, make_schedule

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(hours=1)


def further_try() -> Run:
    """A second try of a schedule whose runs go one after the other: the run that may wait for most."""
    schedule = make_schedule(overlap="queue_one", retries=3)
    return make_run(schedule.script, schedule=schedule, trigger=Trigger.RETRY, attempt=2)


def build() -> Run:
    environment = Environment.objects.create(python="3.12.1", interpreter="/p")
    return make_run(kind=Kind.BUILD, environment=environment, trigger=Trigger.BUILD)


def installation() -> Run:
    return make_run(kind=Kind.INSTALL, trigger=Trigger.BUILD, params={"python": "3.12"})


def backup() -> Run:
    return make_run(kind=Kind.BACKUP, params={"act": "make"})


RUNS = {
    Kind.SCRIPT: further_try,
    Kind.BUILD: build,
    Kind.INSTALL: installation,
    Kind.BACKUP: backup,
}


def put_off(run: Run, _: Settings) -> None:
    run.not_before = LATER
    run.save()


def pause(run: Run, _: Settings) -> None:
    assert run.schedule
    Schedule.objects.filter(pk=run.schedule.pk).update(paused_at=NOW, paused_until=LATER)


def occupy_script(run: Run, _: Settings) -> None:
    make_run(run.script, status=Status.RUNNING)


@pytest.fixture(autouse=True)
def still_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests write to the same disk meanwhile."""
    space = disk_space.look()
    monkeypatch.setattr(disk_space, "look", lambda: space)


def fill_disk(_: Run, settings: Settings) -> None:
    settings.MIN_FREE_MB = 10**9


def take_environment_away(_: Run, __: Settings) -> None:
    Environment.objects.update(state=Environment.State.WANTED)


def start_another_program(_: Run, __: Settings) -> None:
    make_run(kind=Kind.INSTALL, trigger=Trigger.BUILD, status=Status.RUNNING)


def start_another_backup(_: Run, __: Settings) -> None:
    make_run(kind=Kind.BACKUP, params={"act": "verify"}, status=Status.RUNNING)


def begin_a_restore(_: Run, __: Settings) -> None:
    replacing.new_folder(paths.data())


def disable(run: Run, _: Settings) -> None:
    assert run.schedule
    Schedule.objects.filter(pk=run.schedule.pk).update(enabled=False)


# How each condition comes to hold; a new one needs a line here.
BRING_ABOUT: dict[Condition, Callable[[Run, Settings], None]] = {
    wait_conditions.UNWANTED: disable,
    wait_conditions.MOMENT: put_off,
    wait_conditions.PAUSE: pause,
    wait_conditions.RESTORE: begin_a_restore,
    wait_conditions.ONE_BEFORE: occupy_script,
    wait_conditions.DISK: fill_disk,
    wait_conditions.ENVIRONMENT: take_environment_away,
    wait_conditions.ONE_AT_A_TIME: start_another_program,
    wait_conditions.ONE_BACKUP: start_another_backup,
}


def cases() -> list[tuple[Kind, tuple[Condition, ...]]]:
    """Every kind of run with every set of its conditions, in the order of its table."""
    found = []
    for kind in Kind:
        table = PROGRAMS[kind].WAITS_FOR
        for count in range(len(table) + 1):
            found += [(kind, holding) for holding in combinations(table, count)]
    return found


@pytest.mark.parametrize(("kind", "holding"), cases())
def test_a_run_is_kept_back_for_what_is_said_of_it(
    kind: Kind, holding: tuple[Condition, ...], settings: Settings
) -> None:
    run = RUNS[kind]()
    for condition in holding:
        BRING_ABOUT[condition](run, settings)
    sentence = explain.explain_waiting(run, now=NOW).waits_for
    ready = list(admission.ready(kind, Situation(now=NOW)))
    begun = admission.claim(now=NOW)
    if holding:
        expected = holding[0].sentence(run, Situation(now=NOW))
        assert (sentence, ready, begun) == (expected, [], [])
    else:
        assert (sentence, ready, begun) == (explain.ABOUT_TO_BEGIN, [run], [run])


def test_every_condition_belongs_to_a_program() -> None:
    assert {condition for program in PROGRAMS.values() for condition in program.WAITS_FOR} == set(
        BRING_ABOUT
    )


def test_of_two_builds_in_the_queue_the_first_is_about_to_begin() -> None:
    first, second = build(), installation()
    told = [explain.explain_waiting(run, now=NOW).waits_for for run in (first, second)]
    assert told == [
        explain.ABOUT_TO_BEGIN,
        f"It waits for run #{first.pk}: environments are built one at a time.",
    ]
    assert admission.claim(now=NOW) == [first]


def test_two_programs_of_tempo_never_begin_together() -> None:
    build(), installation()
    assert len(admission.claim(now=NOW)) == 1
    assert admission.claim(now=NOW) == []
