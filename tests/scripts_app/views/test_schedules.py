"""The Schedule tab, the builder's form and its preview."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from scripts_app.models import Schedule, Script
from tests.factories import make_schedule, make_script
from tests.rows import each_row
from tests.scripts_app.views.schedule_form import FORM, edit_of, tab_of

REFUSED = [
    ({"cron": "0 24 * * *"}, "cron", "Hour 24: use 0-23"),
    ({"cron": "60 * * * *"}, "cron", "Minute 60: use 0-59"),
    ({"cron": "0 0 30 2 *"}, "cron", "never happens"),
    ({"cron": "9" * 160_000}, "cron", "at most 400 characters"),
    ({"cron": ""}, "cron", "is empty"),
    ({"cron": "<script>alert(1)</script>"}, "cron", "use 5"),
    ({"kind": "interval", "every_s_0": "0"}, "every_s", "Use 1 or more"),
    ({"kind": "interval", "every_s_0": ""}, "every_s", "is missing"),
    ({"kind": "interval", "every_s_0": "9" * 19, "every_s_1": "86400"}, "every_s", ""),
    ({"kind": "interval", "every_s_1": "7"}, "every_s", ""),
    ({"timezone": "Europe/Berln"}, "timezone", "Europe/Berlin"),
    ({"timezone": ""}, "timezone", "required"),
    ({"kind": "once", "at": ""}, "at", "is missing"),
    ({"kind": "once", "at": "2001-01-01T00:00:00"}, "at", "in the past"),
    ({"kind": "once", "at": "tomorrow"}, "at", "valid date/time"),
    ({"kind": "once", "at": "9999-12-31T23:30:00"}, "at", "use the years 1970 to 2999"),
    ({"kind": "sometimes"}, "kind", "not one of the available choices"),
    ({"overlap": "parallel", "max_parallel": "1"}, "max_parallel", "Use 2 or more"),
    ({"overlap": "parallel", "max_parallel": "21"}, "max_parallel", "Use 20 or less"),
    ({"missed": "all", "missed_cap": "101"}, "missed_cap", "Use 100 or less"),
    ({"retries": "11"}, "retries", "not one of the available choices"),
    (
        {"retries": "1", "retry_delay_s_1": "86400", "retry_delay_s_0": "2"},
        "retry_delay_s",
        " or less.",
    ),
    ({"jitter_s_0": "2", "jitter_s_1": "3600"}, "jitter_s", "Use 3600 or less"),
    (
        {"kind": "startup", "delay_s_0": "2", "delay_s_1": "86400"},
        "delay_s",
        "Use 86400 or less",
    ),
    (
        {"start_at": "2999-02-01T00:00", "end_at": "2999-01-01T00:00"},
        "end_at",
        "The end lies before the start",
    ),
    ({"end_at": "2001-01-01T00:00"}, "end_at", "in the past"),
    ({"overlap": "dance"}, "overlap", "not one of the available choices"),
    (
        {"kind": "simple", "simple_every": "week", "simple_weekdays": []},
        "simple_weekdays",
        "Choose a day",
    ),
    ({"kind": "simple", "simple_every": "day", "simple_time": ""}, "simple_time", "Say the time"),
    (
        {"kind": "simple", "simple_every": "hour", "simple_minute": "60"},
        "simple_minute",
        "Use 59 or less",
    ),
    (
        {"kind": "simple", "simple_every": "minutes", "simple_step": "7"},
        "simple_step",
        "available choices",
    ),
    (
        {"kind": "simple", "simple_every": "month", "simple_day": ""},
        "simple_day",
        "Choose a day of the month",
    ),
]

pytestmark = pytest.mark.django_db


@pytest.fixture
def script() -> Script:
    """A script without a schedule."""
    return make_script()


@pytest.fixture
def address(script: Script) -> str:
    """Where a schedule is added to it."""
    return reverse("schedule-new", args=[script.slug])


def preview_of(browser: Client, slug: str, **changes: Any) -> dict[str, Any]:
    """The preview's answer for the form with these changes."""
    answer: dict[str, Any] = browser.post(
        reverse("schedule-preview"), FORM | {"script": slug} | changes
    ).json()
    return answer


# --- saving --------------------------------------------------------------------------------------------------------
def test_a_cron_schedule_is_saved_and_armed(browser: Client, address: str) -> None:
    answer = browser.post(address, FORM, follow=True)
    assert answer.redirect_chain[-1][0] == tab_of(Schedule.objects.get())
    assert "Saved: At 02:30." in answer.content.decode()
    schedule = Schedule.objects.select_related("alarm").get()
    assert schedule.next_at is not None
    assert schedule.next_at.astimezone(ZoneInfo("Europe/Berlin")).strftime("%H:%M") == "02:30"


def test_saving_tells_what_a_change_of_the_clocks_will_do(browser: Client, address: str) -> None:
    said = [
        str(message) for message in browser.post(address, FORM, follow=True).context["messages"]
    ]
    assert any("is skipped in Europe/Berlin" in sentence for sentence in said)


@pytest.mark.parametrize(
    ("choices", "line"),
    [
        ({"simple_every": "minutes", "simple_step": "5"}, "*/5 * * * *"),
        ({"simple_every": "hour", "simple_minute": "7"}, "7 * * * *"),
        ({"simple_every": "day", "simple_time": "23:05"}, "5 23 * * *"),
        ({"simple_every": "week", "simple_weekdays": ["6", "0"]}, "0 9 * * 0,6"),
        ({"simple_every": "week", "simple_weekdays": list("1234560")}, "0 9 * * *"),
        ({"simple_every": "month", "simple_day": "0"}, "0 9 L * *"),
    ],
)
def test_plain_choices_are_saved_as_a_cron_line(
    browser: Client, address: str, choices: dict[str, Any], line: str
) -> None:
    browser.post(address, FORM | {"kind": "simple"} | choices)
    schedule = Schedule.objects.get()
    assert (schedule.kind, schedule.cron) == ("cron", line)


def test_an_interval_is_saved_in_seconds(browser: Client, address: str) -> None:
    browser.post(address, FORM | {"kind": "interval", "every_s_0": "90", "every_s_1": "3600"})
    assert Schedule.objects.get().every_s == 90 * 3600


@pytest.mark.parametrize("kind", ["simple", "interval", "startup", "once"])
def test_nonsense_in_a_mode_that_is_not_chosen_does_not_count(
    browser: Client, address: str, kind: str
) -> None:
    others = {"cron": "nonsense " * 999, "every_s_0": "-1", "at": "never", "simple_minute": "99"}
    own = {"interval": {"every_s_0": "5"}, "once": {"at": "2999-01-01T12:00:00"}}.get(kind, {})
    browser.post(address, FORM | others | {"kind": kind} | own)
    assert Schedule.objects.get().kind == ("cron" if kind == "simple" else kind)


def test_once_means_the_local_time_of_the_chosen_zone(browser: Client, address: str) -> None:
    tomorrow = f"{timezone.now() + timedelta(days=1):%Y-%m-%d}T12:00:00"
    browser.post(address, FORM | {"kind": "once", "at": tomorrow, "timezone": "Asia/Tokyo"})
    schedule = Schedule.objects.get()
    assert schedule.at == datetime.fromisoformat(tomorrow).replace(tzinfo=ZoneInfo("Asia/Tokyo"))
    assert f'value="{tomorrow}"' in browser.get(edit_of(schedule)).content.decode()


def test_all_that_stands_apart_is_saved_and_shown_again(browser: Client, address: str) -> None:
    more = {
        "start_at": "2998-01-01T08:00",
        "end_at": "2999-01-01T08:00:30",
        "jitter_s_0": "2",
        "jitter_s_1": "60",
        "overlap": "parallel",
        "max_parallel": "5",
        "missed": "all",
        "missed_cap": "7",
        "retries": "4",
        "retry_delay_s_0": "30",
        "retry_delay_s_1": "1",
        "retry_backoff": "doubling",
        "retry_max_delay_s_0": "10",
    }
    browser.post(address, FORM | more | {"retry_max_delay_s_1": "60"})
    schedule = Schedule.objects.get()
    berlin = ZoneInfo("Europe/Berlin")
    assert schedule.start_at == datetime(2998, 1, 1, 8, tzinfo=berlin)
    assert schedule.end_at == datetime(2999, 1, 1, 8, 0, 30, tzinfo=berlin)
    assert (schedule.jitter_s, schedule.max_parallel, schedule.missed_cap) == (120, 5, 7)
    assert (schedule.retries, schedule.retry_delay_s, schedule.retry_backoff) == (4, 30, "doubling")
    assert schedule.retry_max_delay_s == 600
    form = browser.get(edit_of(schedule)).context["form"]
    assert form.initial["start_at"] == "2998-01-01T08:00:00" and form.is_more_said


@pytest.mark.parametrize(
    "hidden",
    [
        {"max_parallel": "99"},
        {"missed_cap": ""},
        {"retry_delay_s_0": "0", "retry_max_delay_s_0": "x"},
        {"retries": "2", "retry_max_delay_s_0": "999", "retry_max_delay_s_1": "86400"},
        {"kind": "once", "at": "2999-01-01T12:00:00", "start_at": "x", "jitter_s_0": "-1"},
        {"kind": "startup", "end_at": "2001-01-01T00:00"},
        {"delay_s_0": "999999999"},
    ],
)
def test_nonsense_in_what_does_not_count_keeps_nobody_from_saving(
    browser: Client, address: str, hidden: dict[str, Any]
) -> None:
    assert browser.post(address, FORM | hidden).status_code == 302
    schedule = Schedule.objects.get()
    assert (schedule.max_parallel, schedule.missed_cap, schedule.retry_max_delay_s) == (3, 10, 3600)
    assert (schedule.start_at, schedule.end_at, schedule.jitter_s, schedule.delay_s) == (
        None,
        None,
        0,
        0,
    )


def test_a_form_of_the_former_fields_alone_is_saved_with_the_defaults(
    browser: Client, address: str
) -> None:
    former = ("kind", "cron", "timezone", "overlap", "missed", "enabled")
    assert browser.post(address, {name: FORM[name] for name in former}).status_code == 302
    assert Schedule.objects.get().retry_delay_s == 60


def test_what_stands_apart_is_closed_until_something_was_said_there(
    browser: Client, script: Script
) -> None:
    page = browser.get(reverse("script-schedule", args=[script.slug]))
    assert not page.context["form"].is_more_said
    assert '<details class="more">' in page.content.decode()


def test_the_preview_says_bounds_jitter_and_delay(browser: Client, script: Script) -> None:
    answer = preview_of(browser, script.slug, jitter_s_0="30", end_at="2999-01-01T00:00")
    assert "Each start up to 30 s later, the same each time" in answer["html"]
    assert "Until 2999-01-01 00:00 CET" in answer["html"]
    delayed = preview_of(browser, script.slug, kind="startup", delay_s_0="5")
    assert "5 s after Tempo has started" in delayed["html"]


@pytest.mark.parametrize("kind", ["simple", "cron"])
def test_the_preview_shows_the_moments_that_are_then_kept(
    browser: Client, script: Script, address: str, kind: str
) -> None:
    jitter = {"kind": kind, "jitter_s_0": "1", "jitter_s_1": "3600", "start_at": "2998-01-01T08:00"}
    promised = preview_of(browser, script.slug, **jitter)["next"][0]["utc"]
    browser.post(address, FORM | jitter)
    schedule = Schedule.objects.select_related("alarm").get()
    assert schedule.next_at == datetime.fromisoformat(promised) and (
        schedule.jitter_s,
        schedule.next_at.year,
    ) == (
        3600,
        2998,
    )


# --- refusing, and previewing --------------------------------------------------------------------------------------
@each_row(("changes", "field", "sentence"), REFUSED)
def test_preview_and_save_refuse_the_same_with_the_same_sentence_at_its_field(
    browser: Client,
    script: Script,
    address: str,
    changes: dict[str, Any],
    field: str,
    sentence: str,
) -> None:
    saved = browser.post(address, FORM | changes)
    errors = {
        name: [str(error) for error in errors]
        for name, errors in saved.context["form"].errors.items()
    }
    assert list(errors) == [field] and sentence in errors[field][0]
    assert preview_of(browser, script.slug, **changes)["errors"] == errors
    plain = browser.post(address, FORM | changes | {"preview": "1"})
    assert plain.context["form"].errors == saved.context["form"].errors
    assert not Schedule.objects.exists()


def test_what_was_typed_survives_a_refusal_as_text(browser: Client, address: str) -> None:
    text = browser.post(
        address, FORM | {"cron": '"><img src=x onerror=alert(1)>{{7*7}}'}
    ).content.decode()
    assert "&quot;&gt;&lt;img src=x onerror=alert(1)&gt;{{7*7}}" in text
    assert "<img" not in text


def test_the_preview_says_sentence_moments_warnings_and_choices(
    browser: Client, script: Script
) -> None:
    answer = preview_of(browser, script.slug)
    assert (answer["sentence"], answer["zone"], answer["errors"]) == (
        "At 02:30",
        "Europe/Berlin",
        {},
    )
    assert len(answer["next"]) == 5 and len(answer["warnings"]) == 2
    first = answer["next"][0]
    assert (
        datetime.fromisoformat(first["local"])
        == datetime.fromisoformat(first["utc"])
        > timezone.now()
    )
    assert first["relative"].startswith("in ") and "T02:30:00+0" in first["local"]
    assert (answer["cron"], answer["simple"]) == (
        "30 2 * * *",
        {"simple_every": "day", "simple_time": "02:30"},
    )
    assert "At 02:30" in answer["html"] and not Schedule.objects.exists()


def test_the_preview_of_choices_says_their_line_and_what_they_cannot_say_has_none(
    browser: Client, script: Script
) -> None:
    assert (
        preview_of(browser, script.slug, kind="simple", simple_every="hour")["cron"] == "0 * * * *"
    )
    assert preview_of(browser, script.slug, cron="*/7 * * * *")["simple"] is None


@pytest.mark.parametrize(("kind", "count"), [("startup", 0), ("once", 1), ("interval", 5)])
def test_the_preview_speaks_for_every_kind(
    browser: Client, script: Script, kind: str, count: int
) -> None:
    answer = preview_of(browser, script.slug, kind=kind, at="2999-01-01T12:00:00")
    assert answer["sentence"] and len(answer["next"]) == count


def test_a_crowded_moment_is_pointed_out(browser: Client, script: Script) -> None:
    for number in range(3):
        make_schedule(
            make_script(f"Other {number}"), kind="cron", cron="0 0 1 1 *", now=timezone.now()
        )
    assert any(
        "3 other scripts" in note
        for note in preview_of(browser, script.slug, cron="0 0 1 1 *", timezone="UTC")["warnings"]
    )
    assert preview_of(browser, script.slug, cron="1 0 1 1 *", timezone="UTC")["warnings"] == []


def test_a_past_moment_may_be_kept_by_its_own_schedule_alone(browser: Client) -> None:
    past = datetime(2020, 1, 1, 12, tzinfo=UTC)
    schedule = make_schedule(kind="once", at=past, now=past - timedelta(days=1))
    form = {
        "kind": "once",
        "at": "2020-01-01T12:00:00",
        "timezone": "UTC",
        "script": schedule.script.slug,
    }
    slug = schedule.script.slug
    assert "at" in preview_of(browser, slug, **form)["errors"]
    assert preview_of(browser, slug, **form, schedule=str(schedule.pk))["errors"] == {}
    assert browser.post(edit_of(schedule), FORM | form).status_code == 302


@pytest.mark.parametrize(
    "about", [{"script": "nobody"}, {"schedule": "99"}, {"schedule": "9" * 18}]
)
def test_a_preview_for_what_is_not_there_is_not_found(
    browser: Client, script: Script, about: dict[str, str]
) -> None:
    assert (
        browser.post(
            reverse("schedule-preview"), FORM | {"script": script.slug} | about
        ).status_code
        == 404
    )


def test_a_preview_wants_a_login_and_a_token(
    client: Client, browser: Client, script: Script
) -> None:
    assert Client().post(reverse("schedule-preview"), FORM).status_code == 302
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(browser.get(reverse("script-schedule", args=[script.slug])).context["user"])
    assert strict.post(reverse("schedule-preview"), FORM).status_code == 403
    assert browser.get(reverse("schedule-preview")).status_code == 405


def test_without_javascript_the_preview_button_shows_the_same_and_saves_nothing(
    browser: Client, address: str
) -> None:
    answer = browser.post(address, FORM | {"preview": "1"})
    assert answer.context["preview"].sentence == "At 02:30"
    assert answer.content.decode().count("02:30 CE") == 5
    assert not Schedule.objects.exists()


# --- the builder ---------------------------------------------------------------------------------------------------
def test_a_new_schedule_begins_with_the_servers_zone_and_a_suggestion(
    browser: Client, script: Script, settings: Settings
) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    page = browser.get(reverse("script-schedule", args=[script.slug]))
    assert page.context["form"].initial["timezone"] == "Asia/Tokyo"
    assert page.context["preview"].sentence == "At 09:00"
    assert "It runs only by hand so far" in page.content.decode()


@pytest.mark.parametrize(
    ("cron", "mode"),
    [
        ("@daily", "simple"),
        ("0 9 * * mon-fri", "simple"),
        ("*/7 * * * *", "cron"),
        ("0 0 1 1 *", "cron"),
    ],
)
def test_a_line_that_plain_choices_can_say_opens_in_them(
    browser: Client, cron: str, mode: str
) -> None:
    form = browser.get(edit_of(make_schedule(kind="cron", cron=cron))).context["form"]
    assert (form.initial["kind"], form.initial["cron"]) == (mode, cron)


def test_a_line_keeps_its_own_words_until_its_choices_change(browser: Client) -> None:
    schedule = make_schedule(kind="cron", cron="@daily")
    browser.post(edit_of(schedule), FORM | {"kind": "simple", "simple_time": "00:00"})
    schedule.refresh_from_db()
    assert schedule.cron == "@daily"
    browser.post(edit_of(schedule), FORM | {"kind": "simple", "simple_time": "00:01"})
    schedule.refresh_from_db()
    assert schedule.cron == "1 0 * * *"


def test_editing_shows_what_is_stored_and_saves_by_the_verb(browser: Client) -> None:
    schedule = make_schedule(every_s=7200)
    page = browser.get(edit_of(schedule))
    assert 'name="every_s_0" value="2"' in page.content.decode()
    assert page.context["preview"].sentence == "Every 2 hours"
    browser.post(
        edit_of(schedule),
        FORM | {"kind": "interval", "every_s_0": "120", "every_s_1": "1", "enabled": ""},
    )
    schedule.refresh_from_db()
    assert (schedule.every_s, schedule.enabled, schedule.alarm_id, schedule.cron) == (
        120,
        False,
        None,
        "",
    )


def test_a_schedule_is_found_below_its_own_script_only(browser: Client) -> None:
    schedule, other = make_schedule(make_script("One")), make_script("Other")
    for name in ("schedule-edit", "schedule-delete"):
        assert browser.get(reverse(name, args=[other.slug, schedule.pk])).status_code == 404
    assert (
        browser.post(reverse("schedule-switch", args=[other.slug, schedule.pk])).status_code == 404
    )
