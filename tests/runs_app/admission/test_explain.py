"""What waits for what: a sentence for each queued run, wherever it is asked for."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from runs_app.admission import explain, memory
from runs_app.engine import engine
from runs_app.models import Run
from runs_app.states import Kind, Status, Trigger
from scripts_app.models import Environment
from tests.factories import NOW, make_run, make_schedule, make_script

pytestmark = pytest.mark.django_db


def sentences() -> dict[int, str]:
    """What each queued run waits for."""
    return {item.run.pk: item.waits_for for item in explain.queue_page(now=timezone.now())}


def sentence(run: Run) -> str:
    """What the page of one run says; the list says the same."""
    told = explain.explain_waiting(Run.objects.get(pk=run.pk), now=timezone.now()).waits_for
    assert told == sentences().get(run.pk, told)
    return told


def test_a_run_waits_for_a_free_place(settings: Settings) -> None:
    settings.MAX_CONCURRENT_RUNS = 1
    script = make_script()
    make_run(script, status=Status.RUNNING)
    assert sentence(make_run(script)) == "It waits for a free place: 1 of 1 are taken."


def test_a_run_waits_for_memory_and_those_behind_it_for_that_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "available_mb", lambda: 300)
    script = make_script()
    make_run(script, status=Status.RUNNING)
    large, small = make_run(script, memory_mb=512), make_run(script, memory_mb=16)
    assert sentence(large) == "It waits for memory: it may need 512 MB, 300 MB are available."
    assert sentence(small) == f"It waits for its turn: run #{large.pk} before it waits for memory."


def test_a_run_with_a_place_is_about_to_begin(settings: Settings) -> None:
    settings.MAX_CONCURRENT_RUNS = 1
    script = make_script()
    first, second = make_run(script), make_run(script)
    assert sentence(first) == "It is about to begin."
    assert sentence(second) == "It waits for its turn: those before it are about to begin."


def test_a_further_try_waits_for_its_moment_and_says_which_it_is() -> None:
    schedule = make_schedule(retries=3)
    first = make_run(schedule.script, schedule=schedule, status=Status.FAILED, due_at=NOW)
    later = (timezone.now() + timedelta(days=2)).replace(hour=12, minute=5, second=0)
    fields = {"trigger": Trigger.RETRY, "parent": first, "attempt": 2, "not_before": later}
    second = make_run(schedule.script, schedule=schedule, **fields)
    assert sentence(second) == f"It waits until {later:%Y-%m-%d} 12:05:00: try 2 of 4."


def test_a_run_that_is_to_follow_another_of_its_script_waits_for_its_end() -> None:
    schedule = make_schedule(overlap="queue_one")
    before = make_run(schedule.script, status=Status.RUNNING)
    assert sentence(make_run(schedule.script, schedule=schedule, due_at=NOW)) == (
        f"It waits for run #{before.pk} of its script to end."
    )


def test_a_run_waits_for_its_environment_and_says_who_builds_it() -> None:
    script = make_script(is_ready=False)
    run = make_run(script)
    assert sentence(run) == "It waits for its environment."
    build = make_run(kind=Kind.BUILD, environment=script.wanted_environment, trigger=Trigger.BUILD)
    assert sentence(run) == f"It waits for its environment: run #{build.pk} builds it."
    assert explain.explain_waiting(run, now=timezone.now()).build == build


def test_a_run_waits_for_its_environment_behind_another_one() -> None:
    other = Environment.objects.create(python="3.12.1", interpreter="/other")
    build = make_run(
        kind=Kind.BUILD, environment=other, trigger=Trigger.BUILD, status=Status.RUNNING
    )
    run = make_run(make_script(is_ready=False))
    assert (
        sentence(run) == f"It waits for its environment: run #{build.pk} builds another one first."
    )


def test_a_build_waits_for_the_build_before_it() -> None:
    environment = Environment.objects.create(python="3.12.1", interpreter="/p")
    facts: dict[str, Any] = {
        "kind": Kind.BUILD,
        "environment": environment,
        "trigger": Trigger.BUILD,
    }
    first, second = make_run(status=Status.RUNNING, **facts), make_run(**facts)
    assert (
        sentence(second) == f"It waits for run #{first.pk}: environments are built one at a time."
    )


def test_a_run_waits_for_free_space(settings: Settings) -> None:
    run = make_run(make_script())
    settings.MIN_FREE_MB = 10**9
    assert sentences()[run.pk].startswith("It waits for the disk: only ")


def test_a_list_costs_the_same_number_of_queries_for_one_and_for_forty() -> None:
    scripts = [make_script("Ready"), make_script("Not ready", is_ready=False)]
    counts = []
    for more in (1, 39):
        for number in range(more):
            make_run(scripts[number % 2])
        with CaptureQueriesContext(connection) as asked:
            explain.queue_page(now=timezone.now())
        counts.append(len(asked))
    assert counts[0] == counts[1]


# --- the doors -----------------------------------------------------------------------------------------------------
def test_the_api_gives_the_queue_page_by_page(client: Client, key: str) -> None:
    script = make_script()
    runs = [make_run(script, due_at=NOW if number == 4 else None) for number in range(5)]
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        address = f"/api/v1/queue?limit=2&cursor={cursor}"
        answer = client.get(address, headers={"authorization": f"Bearer {key}"}).json()
        found += answer["items"]
        cursor = answer["next_cursor"]
    order = [runs[4], *runs[:4]]
    assert [(item["position"], item["run"]) for item in found] == list(
        enumerate([run.pk for run in order], 1)
    )
    assert found[0] == {
        "run": runs[4].pk,
        "script": "hello-world",
        "position": 1,
        "due_at": "2026-11-23T12:00:00Z",
        "waits_for": "It is about to begin.",
    }


def test_the_api_goes_on_behind_a_run_that_has_begun_meanwhile(client: Client, key: str) -> None:
    script = make_script()
    first, second, third = (make_run(script) for _ in range(3))
    Run.objects.filter(pk__in=[first.pk, second.pk]).update(status=Status.RUNNING)
    answer = client.get(
        f"/api/v1/queue?cursor={second.pk}", headers={"authorization": f"Bearer {key}"}
    ).json()
    assert [(item["position"], item["run"]) for item in answer["items"]] == [(1, third.pk)]


def test_the_page_of_a_run_says_the_same_and_its_place(settings: Settings, browser: Client) -> None:
    settings.MAX_CONCURRENT_RUNS = 1
    script = make_script()
    make_run(script, status=Status.RUNNING)
    make_run(script)
    page = browser.get(f"/runs/{make_run(script).pk}/").content.decode()
    assert "It waits for a free place: 1 of 1 are taken. It is number 2 in the queue." in page


def printed(**options: Any) -> list[str]:
    """What `manage.py queue` prints, line by line."""
    out = StringIO()
    call_command("queue", stdout=out, **options)
    return out.getvalue().splitlines()


def test_the_command_says_when_nothing_waits() -> None:
    assert printed() == ["Nothing waits."]


def test_the_command_prints_a_table(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MAX_CONCURRENT_RUNS = 1
    monkeypatch.setattr(engine, "is_running", lambda: True)
    script = make_script()
    make_run(script, status=Status.RUNNING)
    run = make_run(script)
    head, line = printed()
    assert head.split() == ["run", "script", "due", "waits", "for"]
    assert line == f"1  #{run.pk:<3} hello-world  -    It waits for a free place: 1 of 1 are taken."


def test_the_command_says_that_nothing_begins_without_tempo() -> None:
    make_run(make_script())
    assert printed()[0] == "Tempo is not running: nothing begins until it is started."
