"""The page of all schedules, acts on several of them, and the feed for calendars."""

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from scripts_app.models import CalendarKey, Schedule
from scripts_app.schedules import all_schedules, calendar_feed, outlook
from scripts_app.views.all_schedules import page
from tempo_site.models import AuditEntry
from tempo_site.stored_settings import general, store
from tests.factories import make_schedule, make_script

PAGE = "/schedules/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def schedule() -> Schedule:
    """A schedule of the night."""
    return nightly("Backup, nightly; all")


def nightly(name: str) -> Schedule:
    return make_schedule(make_script(name), kind="cron", cron="30 2 * * *", now=timezone.now())


def act(browser: Client, act: str, *schedules: Schedule, **data: str) -> str:
    """Tick schedules and press a button; returns the page that comes then."""
    ticked = [str(schedule.pk) for schedule in schedules]
    answer = browser.post(PAGE, {"act": act, "schedule": ticked, **data}, follow=True)
    return answer.content.decode()


def test_the_list_has_each_schedule_with_its_state_the_next_first(
    browser: Client, schedule: Schedule
) -> None:
    off = make_schedule(make_script("Off"), enabled=False, now=timezone.now())
    soon = make_schedule(make_script("Soon"), now=timezone.now())
    rows = all_schedules.rows(now=timezone.now())
    assert [row.schedule for row in rows] == [soon, schedule, off]
    assert [row.state for row in rows] == ["on", "on", "off"]
    text = browser.get(f"{PAGE}?state=off").content.decode()
    assert f"/scripts/{off.script.slug}/schedules/{off.pk}/edit/" in text
    assert f"/scripts/{soon.script.slug}/schedules/{soon.pk}/edit/" not in text


def test_many_schedules_come_in_pages(
    browser: Client, schedule: Schedule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "PAGE", 1)
    other = make_schedule(schedule.script, enabled=False, now=timezone.now())
    first, second = (browser.get(PAGE, {"page": number}) for number in ("", "2"))
    shown = [[row.schedule for row in answer.context["page"]] for answer in (first, second)]
    assert shown == [[schedule], [other]]
    assert "1 to 1 of 2" in first.content.decode() and 'href="?page=2"' in first.content.decode()
    assert 'href="?page=1"' in second.content.decode()


def test_a_day_of_the_week_can_be_looked_at(browser: Client, schedule: Schedule) -> None:
    tomorrow = timezone.localtime().date() + timedelta(days=1)
    answer = browser.get(PAGE, {"day": f"{tomorrow}"})
    assert answer.context["day"].date == tomorrow
    assert answer.context["day"].count == 1
    assert browser.get(PAGE, {"day": "never"}).context["day"].date == timezone.localtime().date()


def test_several_are_switched_off_and_on(browser: Client, schedule: Schedule) -> None:
    other = nightly("Photos")
    assert "Disabled 2 schedules." in act(browser, "disable", schedule, other)
    assert not Schedule.objects.filter(enabled=True).exists()
    act(browser, "enable", schedule)
    assert list(Schedule.objects.filter(enabled=True)) == [schedule]


def test_several_are_paused_and_resumed(browser: Client, schedule: Schedule) -> None:
    assert "Paused 1 schedule." in act(browser, "pause", schedule, length="hour")
    schedule.refresh_from_db()
    assert schedule.is_paused(timezone.now())
    act(browser, "resume", schedule)
    schedule.refresh_from_db()
    assert not schedule.is_paused(timezone.now())
    assert "say for how long" in act(browser, "pause", schedule, length="moment")


def test_the_next_start_of_those_that_have_one_is_skipped(
    browser: Client, schedule: Schedule
) -> None:
    startup = make_schedule(make_script("Warm"), kind="startup")
    first = outlook.next_start(schedule, timezone.now())
    page = act(browser, "skip", schedule, startup)
    assert "Skipped the next start of 1 schedule." in page and "No start is to come" in page
    schedule.refresh_from_db()
    assert outlook.skipped_start(schedule, timezone.now()) == first
    states = [row.state for row in all_schedules.rows(now=timezone.now())]
    assert states == ["skips", "on"]


def test_those_that_can_be_moved_are_and_the_others_say_why(
    browser: Client, schedule: Schedule
) -> None:
    every = make_schedule(make_script("Sensor"), kind="cron", cron="*/5 * * * *")
    page = act(browser, "move", schedule, every, minutes="15")
    assert "Moved 1 schedule." in page and "names no single minute" in page
    schedule.refresh_from_db()
    assert schedule.cron == "45 2 * * *"


def test_an_interval_is_moved_from_its_next_start(browser: Client) -> None:
    schedule = make_schedule(every_s=6 * 3600, now=timezone.now())
    assert schedule.next_at
    due = schedule.next_at + timedelta(minutes=15)
    act(browser, "move", schedule, minutes="15")
    assert Schedule.objects.get().next_at == due


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"act": "burn"}, "choose Pause"),
        ({"act": "disable"}, "tick some"),
        ({"act": "move", "schedule": "1", "minutes": "x"}, "say by how many"),
    ],
)
def test_an_act_without_its_facts_does_nothing(
    browser: Client, schedule: Schedule, data: dict[str, str], sentence: str
) -> None:
    assert sentence in browser.post(PAGE, data, follow=True).content.decode()
    schedule.refresh_from_db()
    assert schedule.enabled


# --- the calendar ---------------------------------------------------------------------------------------------------
def new_address(browser: Client) -> str:
    """Make an address on the page, and return its path."""
    answer = browser.post(reverse("schedule-calendar"), {"act": "new"})
    address: str = answer.context["address"]
    return address.removeprefix("http://localhost")


def read(address: str) -> Any:
    """What a calendar gets, which has no session."""
    return Client(headers={"host": "localhost"}).get(address)


@pytest.fixture
def browser(client: Client, user: User) -> Client:
    """A browser at the address that a feed begins with."""
    client = Client(headers={"host": "localhost"})
    client.force_login(user)
    return client


def test_a_calendar_reads_what_will_start(browser: Client, schedule: Schedule) -> None:
    store.save({general.NAME: "NAS, attic"}, by="root")
    answer = read(new_address(browser))
    text = answer.content.decode().replace("\r\n ", "")
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert text.count("BEGIN:VEVENT\r\n") in (30, 31)
    assert "X-WR-CALNAME:Tempo NAS\\, attic\r\n" in text
    assert "SUMMARY:Backup\\, nightly\\; all\r\n" in text
    assert schedule.next_at and f"DTSTART:{schedule.next_at:%Y%m%dT%H%M%SZ}\r\n" in text


def test_long_names_are_folded_by_bytes(browser: Client) -> None:
    nightly("ü" * 100)
    lines = read(new_address(browser)).content.split(b"\r\n")
    assert max(map(len, lines)) <= 75
    assert ("ü" * 100).encode() in b"".join(line.removeprefix(b" ") for line in lines)


def test_only_the_newest_address_holds_until_it_is_revoked(
    browser: Client, schedule: Schedule
) -> None:
    first, second = new_address(browser), new_address(browser)
    assert read(first).status_code == 403
    assert read(second).status_code == 200
    assert CalendarKey.objects.get().last_used_on == timezone.now().date()
    browser.post(reverse("schedule-calendar"), {"act": "revoke"})
    assert read(second).status_code == 403
    assert [row.verb for row in AuditEntry.objects.filter(kind="calendar key")] == [
        "revoked",
        "created",
        "created",
    ]


def test_an_address_ends_with_its_user(browser: Client, user: User, schedule: Schedule) -> None:
    address = new_address(browser)
    user.is_active = False
    user.save()
    assert read(address).status_code == 403


def test_a_feed_opens_with_its_key_alone(browser: Client, key: str) -> None:
    assert browser.get("/schedules.ics").status_code == 403  # a session is no key
    assert read(f"/schedules.ics?key={key}").status_code == 403  # nor is one for the API
    token = new_address(browser).partition("key=")[2]
    program = Client(headers={"host": "localhost", "authorization": f"Bearer {token}"})
    assert program.get("/api/v1/scripts").status_code == 401


def test_the_key_is_in_no_log_and_stored_as_a_hash(
    browser: Client,
    schedule: Schedule,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    address = new_address(browser)
    token = address.partition("key=")[2]

    def fail(now: object) -> str:
        raise RuntimeError("it broke")

    monkeypatch.setattr(calendar_feed, "text", fail)
    client = Client(headers={"host": "localhost"}, raise_request_exception=False)
    with caplog.at_level(logging.DEBUG):
        answer = client.get(address)
    assert answer.status_code == 500
    assert token not in caplog.text + answer.content.decode()
    for record in caplog.records:
        assert token not in str(vars(record).get("request", ""))
    stored = str(list(CalendarKey.objects.values()) + list(AuditEntry.objects.values()))
    assert token not in stored and token[-20:] not in stored
