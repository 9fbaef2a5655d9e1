"""Run with inputs: the form, the button, and what a schedule gives its runs."""

from typing import Any

import pytest
from django.test import Client

from runs_app.models import Run
from runs_app.scheduler import due_moments
from runs_app.scheduler.due_moments import DueMoment
from runs_app.states import Reason, Status, Trigger
from scripts_app import scripts
from scripts_app.models import Schedule, Script
from scripts_app.schedules import schedules
from scripts_app.timing.rule import TimingError
from tests.factories import NOW, make_run, make_schedule, make_script
from tests.rows import each_row

DECLARED = [
    {"name": "days", "type": "int", "default": 7, "min": 1, "help": "How <b>far</b> back."},
    {"name": "dry", "type": "bool", "default": True},
    {"name": "mode", "type": "choice", "choices": ["fast", "whole"]},
    {"name": "who", "type": "text", "required": True},
]
FORM = "/scripts/hello/run-with/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def script() -> Script:
    return make_script("Hello", parameters=DECLARED)


@pytest.mark.usefixtures("script")
def test_the_form_shows_each_input_with_its_default(browser: Client) -> None:
    page = browser.get(FORM).content.decode()
    assert (
        'name="params.days" value="7"' in page
        and 'min="1"' in page
        and "How &lt;b&gt;far&lt;/b&gt; back." in page
    )
    assert 'type="checkbox" name="params.dry"' in page and '<option value="whole">' in page


@pytest.mark.usefixtures("script")
def test_a_run_gets_what_was_filled_in(browser: Client) -> None:
    filled = {"params.days": "3", "params.who": "<me>", "params.mode": ""}
    response = browser.post(FORM, filled)
    run = Run.objects.get()
    assert (run.params, run.trigger) == ({"days": 3, "dry": False, "who": "<me>"}, Trigger.MANUAL)
    page = browser.get(response.headers["Location"]).content.decode()
    assert "&lt;me&gt;" in page and "<me>" not in page


@pytest.mark.usefixtures("script")
@pytest.mark.parametrize(
    ("filled", "why"),
    [
        ({"params.days": "0", "params.who": "me"}, "It is less than 1."),
        ({"params.days": "many", "params.who": "me"}, "It has to be a whole number."),
        ({"params.days": "1"}, "This field is required."),
        ({"params.who": "me", "params.mode": "slow"}, "Select a valid choice."),
    ],
)
def test_what_is_not_right_is_said_at_its_field(
    browser: Client, filled: dict[str, str], why: str
) -> None:
    assert why in browser.post(FORM, filled).content.decode()
    assert not Run.objects.exists()


def test_an_earlier_runs_inputs_can_be_taken_and_changed(browser: Client, script: Script) -> None:
    run = make_run(
        script,
        params={"days": 21, "gone": 1, "dry": False},
        status=Status.SUCCEEDED,
        finished_at=NOW,
    )
    assert f"{FORM}?like={run.pk}" in browser.get(f"/runs/{run.pk}/").content.decode()
    page = browser.get(f"{FORM}?like={run.pk}").content.decode()
    assert 'name="params.days" value="21"' in page and "checked" not in page


@pytest.mark.usefixtures("script")
@each_row("like", ["", "x", "99999999999999999999", "-1", "\u0663"])
def test_a_run_that_is_none_fills_in_nothing(browser: Client, like: str) -> None:
    assert 'name="params.days" value="7"' in browser.get(FORM, {"like": like}).content.decode()


@pytest.mark.usefixtures("script")
def test_the_run_button_leads_to_the_form_when_something_has_to_be_given(browser: Client) -> None:
    assert browser.post("/scripts/hello/run/").headers["Location"] == FORM
    assert not Run.objects.exists()


def test_the_run_button_runs_with_the_defaults_when_nothing_has_to_be_given(
    browser: Client, script: Script
) -> None:
    scripts.update(script, by=None, now=NOW, parameters=DECLARED[:2])
    browser.post("/scripts/hello/run/")
    assert Run.objects.get().params == {"days": 7, "dry": True}


def test_running_again_drops_what_is_not_declared_any_more_and_says_so(
    browser: Client, script: Script
) -> None:
    run = make_run(script, params={"who": "me", "old": 1}, status=Status.FAILED, finished_at=NOW)
    page = browser.post(f"/runs/{run.pk}/again", follow=True).content.decode()
    assert Run.objects.exclude(pk=run.pk).get().params == {"days": 7, "dry": True, "who": "me"}
    assert "Without <code>old</code>" in page


def test_the_settings_declare_inputs_and_keep_what_was_refused(
    browser: Client, script: Script
) -> None:
    form = browser.get("/scripts/hello/settings/").context["form"]
    values = {
        name: form[name].value() for name in form.fields if form[name].value() not in (None, "")
    }
    values = {name: value for name, value in values.items() if value is not False}
    values |= {f"initial-{name}": value for name, value in values.items()}
    refused = browser.post(
        "/scripts/hello/settings/", values | {"parameters": "days = 5"}
    ).content.decode()
    assert "is no table" in refused and "days = 5" in refused
    answer = browser.post(
        "/scripts/hello/settings/", values | {"parameters": 'since = {type = "date"}'}
    )
    assert answer.status_code == 302, answer.context["form"].errors
    script.refresh_from_db()
    assert script.parameters == [{"name": "since", "type": "date"}]


def test_a_schedule_gives_its_runs_inputs(script: Script) -> None:
    schedule = make_schedule(script, params={"who": "the night", "days": "2"})
    due_moments.record([DueMoment(schedule=schedule, due_at=NOW)], now=NOW)
    assert Run.objects.get().params == {"who": "the night", "days": 2, "dry": True}


def test_a_schedule_that_could_start_nothing_is_refused_unless_it_is_off(script: Script) -> None:
    with pytest.raises(TimingError, match="`who`: is required") as caught:
        make_schedule(script)
    assert caught.value.field == "params.who"
    schedule = make_schedule(script, enabled=False)
    schedule.enabled = True
    with pytest.raises(TimingError):
        schedules.save(schedule, now=NOW)


@each_row("params", [{"nobody": 1}, {"days": 0}, [], "x", None])
def test_a_schedule_with_inputs_that_are_not_right_is_refused(script: Script, params: Any) -> None:
    with pytest.raises(TimingError) as caught:
        make_schedule(script, params=params, enabled=False)
    assert caught.value.field.startswith("params")


def test_a_due_moment_without_a_required_input_is_skipped_with_the_reason(script: Script) -> None:
    scripts.update(script, by=None, now=NOW, parameters=[])
    schedule = make_schedule(script)
    scripts.update(script, by=None, now=NOW, parameters=DECLARED)
    schedule = Schedule.objects.get(pk=schedule.pk)
    due_moments.record([DueMoment(schedule=schedule, due_at=NOW)], now=NOW)
    run = Run.objects.get()
    assert (run.status, run.reason) == (
        Status.SKIPPED,
        Reason.INPUTS,
    ) and "`who`: is required" in run.message


def test_a_schedule_stays_changeable_when_its_script_asks_for_more(script: Script) -> None:
    scripts.update(script, by=None, now=NOW, parameters=[])
    schedule = make_schedule(script)
    scripts.update(script, by=None, now=NOW, parameters=DECLARED)
    schedule.every_s = 120
    assert schedules.save(schedule, now=NOW).every_s == 120


def test_the_builder_asks_for_inputs(browser: Client, script: Script) -> None:
    page = browser.get("/scripts/hello/schedules/new/").content.decode()
    assert 'name="params.who"' in page and 'placeholder="7"' in page and "As declared: true" in page
    values = {
        "kind": "interval",
        "every_s_0": "5",
        "every_s_1": "60",
        "timezone": "UTC",
        "enabled": "on",
    }
    values |= {"overlap": "skip", "missed": "once"}
    refused = browser.post("/scripts/hello/schedules/new/", values).content.decode()
    assert "is required" in refused and not Schedule.objects.exists()
    browser.post(
        "/scripts/hello/schedules/new/",
        values | {"params.who": "me", "params.dry": "false", "params.days": ""},
    )
    assert Schedule.objects.get().params == {"who": "me", "dry": False}
    assert "<bdi>me</bdi>" in browser.get("/scripts/hello/schedule/").content.decode()
