"""The schedule form."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from scripts_app.models import Schedule
from tests.factories import make_schedule, make_script

FORM: dict[str, Any] = {
    "kind": "cron",
    "cron": "30 2 * * *",
    "every_s": "",
    "at": "",
    "timezone": "Europe/Berlin",
    "overlap": "skip",
    "missed": "once",
    "enabled": "on",
}

pytestmark = pytest.mark.django_db


@pytest.fixture
def address() -> str:
    """Where a schedule is added to a script."""
    return reverse("schedule-new", args=[make_script().slug])


def test_a_cron_schedule_is_saved_and_armed(browser: Client, address: str) -> None:
    answer = browser.post(address, FORM, follow=True)
    assert "Saved: At 02:30." in answer.content.decode()
    schedule = Schedule.objects.select_related("alarm").get()
    assert schedule.next_at is not None
    assert schedule.next_at.astimezone(ZoneInfo("Europe/Berlin")).strftime("%H:%M") == "02:30"


def test_saving_tells_what_a_change_of_the_clocks_will_do(browser: Client, address: str) -> None:
    text = browser.post(address, FORM, follow=True).content.decode()
    assert text.count("Europe/Berlin") >= 2 and "02:30" in text


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"cron": "0 24 * * *"}, "cron", "24"),
        ({"cron": "0 0 30 2 *"}, "cron", "never happens"),
        ({"cron": "9" * 5000}, "cron", "at most 400 characters"),
        ({"kind": "interval", "every_s": "0"}, "every_s", ""),
        ({"kind": "interval", "every_s": ""}, "every_s", ""),
        ({"timezone": "Europe/Berln"}, "timezone", "Europe/Berlin"),
        ({"kind": "once", "at": ""}, "at", ""),
        ({"kind": "once", "at": "2001-01-01T00:00:00"}, "at", "in the past"),
        ({"kind": "once", "at": "tomorrow"}, "at", "valid date/time"),
        ({"kind": "sometimes"}, "kind", "not one of the available choices"),
    ],
)
def test_a_refusal_stands_at_its_field(
    browser: Client, address: str, changes: dict[str, str], field: str, sentence: str
) -> None:
    answer = browser.post(address, FORM | changes)
    assert sentence in " ".join(answer.context["form"].errors[field])
    assert not Schedule.objects.exists()


def test_a_preview_shows_five_moments_in_the_schedules_zone_and_saves_nothing(browser: Client, address: str) -> None:
    answer = browser.post(address, FORM | {"preview": "1"})
    preview = answer.context["preview"]
    assert preview.sentence == "At 02:30" and len(preview.moments) == 5
    assert answer.content.decode().count("02:30:00 CE") == 5
    assert not Schedule.objects.exists()


def test_a_preview_of_nonsense_is_an_error_at_the_field(browser: Client, address: str) -> None:
    answer = browser.post(address, FORM | {"preview": "1", "cron": "* *"})
    assert answer.context["form"].errors["cron"]


def test_once_means_the_local_time_of_the_chosen_zone(browser: Client, address: str) -> None:
    tomorrow = f"{timezone.now() + timedelta(days=1):%Y-%m-%d}T12:00:00"
    browser.post(address, FORM | {"kind": "once", "at": tomorrow, "timezone": "Asia/Tokyo"})
    schedule = Schedule.objects.get()
    assert schedule.at == datetime.fromisoformat(tomorrow).replace(tzinfo=ZoneInfo("Asia/Tokyo"))
    text = browser.get(reverse("schedule-edit", args=[schedule.script.slug, schedule.pk])).content.decode()
    assert f'value="{tomorrow}"' in text


def test_editing_shows_what_is_stored_and_saves_by_the_verb(browser: Client) -> None:
    schedule = make_schedule(every_s=60)
    address = reverse("schedule-edit", args=[schedule.script.slug, schedule.pk])
    assert 'value="60"' in browser.get(address).content.decode()
    browser.post(address, FORM | {"kind": "interval", "every_s": "120", "enabled": ""})
    schedule.refresh_from_db()
    assert (schedule.every_s, schedule.enabled, schedule.alarm_id, schedule.cron) == (120, False, None, "")


def test_a_schedule_is_found_below_its_own_script_only(browser: Client) -> None:
    schedule, other = make_schedule(make_script("One")), make_script("Other")
    assert browser.get(reverse("schedule-edit", args=[other.slug, schedule.pk])).status_code == 404


def test_deleting_asks_first_and_names_the_rhythm(browser: Client) -> None:
    schedule = make_schedule(every_s=90)
    address = reverse("schedule-delete", args=[schedule.script.slug, schedule.pk])
    assert "Delete “Every 90 seconds”" in browser.get(address).content.decode()
    browser.post(address)
    assert not Schedule.objects.exists()


def test_a_script_shows_its_schedules_with_the_next_times_and_their_zone(browser: Client) -> None:
    schedule = make_schedule(kind="cron", cron="0 12 * * *", timezone="Asia/Tokyo", now=datetime.now(UTC))
    text = browser.get(reverse("script-detail", args=[schedule.script.slug])).content.decode()
    assert text.count("12:00:00 JST") == 6  # the next one, and the five of the preview


def test_a_schedule_that_cannot_be_read_can_still_be_seen_and_repaired(browser: Client) -> None:
    schedule = make_schedule()
    Schedule.objects.filter(pk=schedule.pk).update(kind="cron", cron="nonsense", message="put aside")
    for name, args in (("script-detail", []), ("schedule-edit", [schedule.pk]), ("schedule-delete", [schedule.pk])):
        assert browser.get(reverse(name, args=[schedule.script.slug, *args])).status_code == 200
    browser.post(reverse("schedule-edit", args=[schedule.script.slug, schedule.pk]), FORM)
    schedule.refresh_from_db()
    assert (schedule.cron, schedule.message) == ("30 2 * * *", "")
