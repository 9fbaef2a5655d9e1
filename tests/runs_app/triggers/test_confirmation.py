"""Ask before the first run: at every door for people and programs, never for schedules and retries."""

from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from runs_app.engine import engine
from runs_app.models import Run
from runs_app.new_runs import retries
from runs_app.scheduler import ticker
from runs_app.states import Status, Trigger
from runs_app.triggers import confirmation
from scripts_app import scripts
from scripts_app.models import Script
from tests.factories import NOW, make_run, make_schedule, make_script

pytestmark = pytest.mark.django_db

RISKY = "eval(input())\nnothing_there\n"
RUNS = "/api/v1/scripts/risky/runs"
QUESTION = "/scripts/risky/edit/?ask=run"


@pytest.fixture
def risky() -> Script:
    """A script whose first version has problems that a person has to know of."""
    return make_script("Risky", code=RISKY)


def messages_of(client: Client, address: str, **data: object) -> list[str]:
    """What the page says after a POST."""
    answer = client.post(address, data, follow=True)
    return [str(message) for message in answer.context["messages"]]


# --- the rule -------------------------------------------------------------------------------------------------------
def test_the_first_run_of_a_version_with_problems_needs_a_confirmation(risky: Script) -> None:
    with pytest.raises(confirmation.ConfirmationNeeded, match="first run of v1") as question:
        confirmation.require(risky)
    assert [problem.line for problem in question.value.problems] == [1, 2]
    confirmation.require(risky, is_confirmed=True)


def test_a_version_that_ran_before_needs_none_and_a_new_one_does(risky: Script) -> None:
    make_run(risky)
    confirmation.require(risky)
    scripts.update(risky, by=None, now=timezone.now(), code=f"{RISKY}print()\n")
    with pytest.raises(confirmation.ConfirmationNeeded, match="v2"):
        confirmation.require(risky)


@pytest.mark.parametrize("code", ["print('hello')\n", "import os\n", "x = (\n"])
def test_no_problem_a_mere_warning_and_what_is_refused_anyway_need_none(code: str) -> None:
    assert confirmation.problems_to_confirm(make_script(code=code)) == []


def test_rows_that_know_whether_they_ran_ask_the_database_nothing(risky: Script) -> None:
    rows = confirmation.with_has_run(Script.objects.select_related("version"))
    first = rows.get(pk=risky.pk)
    with CaptureQueriesContext(connection) as queries:
        assert not confirmation.has_run(first)
    assert len(queries) == 0
    make_run(risky)
    assert confirmation.has_run(rows.get(pk=risky.pk))


# --- pages ----------------------------------------------------------------------------------------------------------
@pytest.mark.usefixtures("risky")
def test_the_run_button_leads_to_the_question_and_its_answer_runs_it(browser: Client) -> None:
    answer = browser.post("/scripts/risky/run/", {"tab": "files"})
    assert (answer.headers["Location"], Run.objects.count()) == (QUESTION, 0)
    page = browser.get(QUESTION)
    assert [problem.line for problem in page.context["doubts"]] == [1, 2]
    assert 'name="confirm" value="1"' in page.content.decode()
    browser.post("/scripts/risky/run/", {"confirm": "1"})
    assert Run.objects.count() == 1
    browser.post("/scripts/risky/run/")
    assert Run.objects.count() == 2, "nobody is asked again"


@pytest.mark.usefixtures("risky")
def test_the_form_with_inputs_asks_with_a_box_of_its_own(browser: Client) -> None:
    address = reverse("script-run-with", args=["risky"])
    page = browser.post(address, {"sent": "1"}).content.decode()
    assert "Undefined name" in page and 'name="confirm"' in page and not Run.objects.exists()
    assert 'name="confirm"' not in browser.get(address).content.decode()
    browser.post(address, {"confirm": "on"})
    assert Run.objects.count() == 1


@pytest.mark.usefixtures("risky")
def test_a_list_runs_the_others_and_says_which_one_waits_for_a_person(browser: Client) -> None:
    make_script("Sound")
    told = messages_of(browser, "/scripts/", act="run", slug=["risky", "sound"])
    assert told[0] == "Started 1 script." and "first run of v1" in told[1]
    assert [run.script.slug for run in Run.objects.select_related("script") if run.script] == [
        "sound"
    ]


def test_running_again_does_not_bring_a_new_version_in_unseen(browser: Client) -> None:
    script = make_script("Risky")
    run = make_run(script, status=Status.SUCCEEDED)
    scripts.update(script, by=None, now=timezone.now(), code=RISKY)
    told = messages_of(browser, reverse("run-again", args=[run.pk]))
    assert "first run of v2" in told[0] and Run.objects.count() == 1


# --- admin ----------------------------------------------------------------------------------------------------------
def test_the_admins_button_leads_to_the_question(
    client: Client, staff: User, risky: Script
) -> None:
    client.force_login(staff)
    answer = client.post(f"/admin/scripts_app/script/{risky.pk}/act/run/")
    assert (answer.headers["Location"], Run.objects.count()) == (QUESTION, 0)
    told = messages_of(
        client,
        "/admin/scripts_app/script/",
        action="run_selected",
        _selected_action=[risky.pk],
    )
    assert "first run of v1" in told[0] and not Run.objects.exists()


# --- programs -------------------------------------------------------------------------------------------------------
@pytest.mark.usefixtures("risky")
def test_the_api_names_the_problems_and_runs_it_when_that_is_confirmed(program: Client) -> None:
    answer = program.post(RUNS, "{}", "application/json")
    body = answer.json()
    assert (answer.status_code, body["error"]["code"]) == (409, "confirmation_needed")
    assert body["error"]["hint"] == 'send `"confirm": true` to run it all the same'
    assert [problem["line"] for problem in body["problems"]] == [1, 2]
    assert not Run.objects.exists()

    for body in ({"confirm": True}, {}):  # nobody is asked again
        assert program.post(RUNS, body, "application/json").status_code == 202


@pytest.mark.parametrize("confirm", ["yes", 1, None])
@pytest.mark.usefixtures("risky")
def test_a_confirmation_is_true_or_false(program: Client, confirm: object) -> None:
    answer = program.post(RUNS, {"confirm": confirm}, "application/json")
    assert (answer.status_code, list(answer.json()["error"]["fields"])) == (422, ["confirm"])


def test_a_program_that_starts_a_sound_script_is_never_asked(program: Client) -> None:
    make_script("Sound")
    answer = program.post("/api/v1/scripts/sound/runs", {}, "application/json")
    assert answer.status_code == 202


@pytest.mark.usefixtures("risky")
def test_the_command_asks_for_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "is_running", lambda: True)
    with pytest.raises(CommandError, match=r"(?s)first run of v1.*hint: add --yes") as question:
        call_command("runscript", "risky")
    assert (question.value.returncode, Run.objects.count()) == (1, 0)
    call_command("runscript", "risky", "--yes", stdout=StringIO())
    assert Run.objects.get().trigger == Trigger.COMMAND


# --- what runs by itself --------------------------------------------------------------------------------------------
def test_schedules_and_retries_are_not_asked(risky: Script) -> None:
    schedule = make_schedule(risky, every_s=60, retries=1)
    now = NOW + timedelta(seconds=60)
    ticker.step(now=now)
    run = Run.objects.get()
    assert (run.status, run.trigger) == (Status.QUEUED, Trigger.SCHEDULE)
    scripts.update(risky, by=None, now=now, code=f"{RISKY}print()\n")
    run.status, run.finished_at = Status.FAILED, now
    run.save()
    run.refresh_from_db()
    other = retries.queue_next_try(run, now=now)
    assert other is not None and other.schedule == schedule
