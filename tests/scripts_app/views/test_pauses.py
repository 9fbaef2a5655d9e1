"""Pausing one schedule and all of them, and what the pages say while that lasts."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from scripts_app import lookup
from scripts_app.models import Schedule
from scripts_app.schedules import global_pause, outlook
from tests.factories import make_schedule

pytestmark = pytest.mark.django_db
TOKYO = ZoneInfo("Asia/Tokyo")


@pytest.fixture
def schedule() -> Schedule:
    """A schedule that is armed, in a zone of its own."""
    return make_schedule(kind="cron", cron="0 12 * * *", timezone="Asia/Tokyo", now=timezone.now())


def address(name: str, schedule: Schedule) -> str:
    """Where one schedule is paused or resumed."""
    return reverse(name, args=[schedule.script.slug, schedule.pk])


def paused_until(schedule: Schedule) -> datetime:
    """Its pause's end as it is stored."""
    schedule.refresh_from_db()
    assert schedule.paused_until is not None
    return schedule.paused_until


# --- one schedule ---------------------------------------------------------------------------------------------------
def test_a_schedule_is_paused_for_an_hour_says_so_and_is_resumed(
    browser: Client, schedule: Schedule
) -> None:
    text = browser.post(
        address("schedule-pause", schedule), {"length": "hour"}, follow=True
    ).content.decode()
    assert timedelta(minutes=59) < paused_until(schedule) - timezone.now() <= timedelta(hours=1)
    assert "Paused until" in text and '<span class="status status-missed">paused</span>' in text
    text = browser.post(address("schedule-resume", schedule), follow=True).content.decode()
    assert "Resumed: At 12:00." in text and ">paused</span>" not in text


def test_the_next_start_alone_is_skipped_and_that_is_undone(
    browser: Client, schedule: Schedule
) -> None:
    first = outlook.next_start(schedule, timezone.now())
    text = browser.post(address("schedule-skip", schedule), follow=True).content.decode()
    assert "The next start is skipped: At 12:00." in text and ">skips one</span>" in text
    assert first is not None and f"{first.astimezone(TOKYO):%Y-%m-%d %H:%M}" in text
    assert outlook.skipped_start(lookup.schedule(schedule.pk), timezone.now()) == first
    assert "Undo skip" in text and "Skip next" not in text
    text = browser.post(address("schedule-resume", schedule), follow=True).content.decode()
    assert "Skip next" in text and "Undo skip" not in text
    assert outlook.next_start(lookup.schedule(schedule.pk), timezone.now()) == first


def test_a_pause_over_more_than_one_start_is_resumed_and_not_undone(
    browser: Client, schedule: Schedule
) -> None:
    browser.post(address("schedule-pause", schedule), {"length": "week"})
    browser.post(address("schedule-skip", schedule))
    text = browser.get(reverse("script-schedule", args=[schedule.script.slug])).content.decode()
    assert "Undo skip" not in text and "Resume</button>" in text


def test_where_no_start_is_to_come_none_is_skipped(browser: Client, schedule: Schedule) -> None:
    browser.post(address("schedule-switch", schedule), {"enabled": "0"})
    text = browser.post(address("schedule-skip", schedule), follow=True).content.decode()
    assert "No start is to come" in text and "Skip next" not in text


def test_tomorrow_and_a_moment_are_by_the_schedules_own_clock(
    browser: Client, schedule: Schedule
) -> None:
    browser.post(address("schedule-pause", schedule), {"length": "tomorrow"})
    local = paused_until(schedule).astimezone(TOKYO)
    assert (local.date(), local.hour, local.minute) == (
        timezone.now().astimezone(TOKYO).date() + timedelta(1),
        0,
        0,
    )
    browser.post(
        address("schedule-pause", schedule), {"length": "moment", "until": "2999-01-01T08:30"}
    )
    assert paused_until(schedule) == datetime(2999, 1, 1, 8, 30, tzinfo=TOKYO)


def test_the_tab_names_the_first_moment_behind_the_pause(
    browser: Client, schedule: Schedule
) -> None:
    browser.post(address("schedule-pause", schedule), {"until": "2998-05-05T08:00"})
    text = browser.get(reverse("script-schedule", args=[schedule.script.slug])).content.decode()
    assert "2998-05-05 12:00:00 JST" in text


@pytest.mark.parametrize(
    "data", [{"until": "2001-01-01T00:00"}, {"until": ""}, {"until": "soon"}, {"length": "open"}]
)
def test_a_pause_without_a_moment_to_come_is_refused_at_its_field(
    browser: Client, schedule: Schedule, data: dict[str, str]
) -> None:
    answer = browser.post(address("schedule-pause", schedule), {"length": "moment", **data})
    assert answer.status_code == 200 and answer.context["form"].errors["until"]
    schedule.refresh_from_db()
    assert schedule.paused_until is None


def test_a_disabled_schedule_is_not_offered_a_pause(browser: Client) -> None:
    schedule = make_schedule(enabled=False)
    text = browser.get(reverse("script-schedule", args=[schedule.script.slug])).content.decode()
    assert address("schedule-pause", schedule) not in text


def test_a_paused_schedule_is_not_next_on_the_dashboard(
    browser: Client, schedule: Schedule
) -> None:
    assert browser.get("/").context["due_schedules"] == [schedule]
    browser.post(address("schedule-pause", schedule), {"length": "hour"})
    assert browser.get("/").context["due_schedules"] == []


def test_a_pause_puts_off_what_lists_and_heads_call_next(
    browser: Client, schedule: Schedule
) -> None:
    slug, now = schedule.script.slug, timezone.now()
    browser.post(address("schedule-pause", schedule), {"until": "2998-05-05T08:00"})
    behind = datetime(2998, 5, 5, 12, 0, tzinfo=ZoneInfo("Asia/Tokyo"))
    assert lookup.script_for_page(slug, now=now).next_at == behind
    browser.post(address("schedule-resume", schedule))
    schedule.refresh_from_db()
    assert lookup.script_for_page(slug, now=now).next_at == schedule.next_at


# --- all of them ----------------------------------------------------------------------------------------------------
def test_everything_is_paused_and_every_page_says_so_until_it_is_resumed(
    browser: Client, schedule: Schedule, user: User
) -> None:
    pages = ["/", "/scripts/", reverse("script-schedule", args=[schedule.script.slug]), "/runs/"]
    browser.post(reverse("pause-all"), {"length": "open"})
    for page in pages:
        text = browser.get(page).content.decode()
        assert "All schedules are paused until further notice, by <bdi>ann</bdi>" in text, page
        assert f'name="next" value="{page}"' in text
    answer = browser.post(reverse("resume-all"), {"next": pages[2]}, follow=True)
    assert answer.redirect_chain[-1][0] == pages[2]
    assert "All schedules are paused" not in answer.content.decode()
    assert global_pause.current_pause(timezone.now()) is None


def test_the_banner_is_part_of_the_admin_too(client: Client, staff: User) -> None:
    client.force_login(staff)
    global_pause.pause_all(by="ann", now=timezone.now(), until=timezone.now() + timedelta(hours=1))
    text = client.get("/admin/").content.decode()
    assert "All schedules are paused until <time" in text


def test_a_pause_that_is_over_is_not_told(browser: Client) -> None:
    then = timezone.now() - timedelta(hours=2)
    global_pause.pause_all(by="ann", now=then, until=then + timedelta(hours=1))
    assert "All schedules are paused" not in browser.get("/").content.decode()


@pytest.mark.parametrize(
    "data", [{"length": "moment", "until": "2001-01-01T00:00"}, {"length": "x"}, {"until": ""}]
)
def test_a_pause_of_everything_needs_to_know_how_long(
    browser: Client, data: dict[str, str]
) -> None:
    assert browser.post(reverse("pause-all"), data).status_code == 200
    assert global_pause.current_pause(timezone.now()) is None


@pytest.mark.parametrize(
    "place", ["https://elsewhere.example/", "//elsewhere.example/", "javascript:alert(1)", "x"]
)
def test_one_is_led_to_no_other_site(browser: Client, place: str) -> None:
    assert (
        browser.post(reverse("pause-all"), {"length": "hour", "next": place}).headers["Location"]
        == "/"
    )
    assert browser.get(reverse("pause-all"), {"next": place}).context["next"] == ""


@pytest.mark.parametrize("name", ["pause-all", "resume-all", "schedule-pause", "schedule-resume"])
def test_pausing_wants_a_login_a_token_and_post(user: User, schedule: Schedule, name: str) -> None:
    page = reverse(name) if name.endswith("all") else address(name, schedule)
    assert Client().post(page, {"length": "hour"}).headers["Location"].startswith("/login/")
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user)
    assert strict.post(page, {"length": "hour"}).status_code == 403
    assert strict.get(page).status_code == (200 if "pause" in name else 405)
    schedule.refresh_from_db()
    assert schedule.paused_until is None and global_pause.current_pause(timezone.now()) is None
