"""Acts that can be taken back say so beside what was done, and Undo takes all of it back."""

import re

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from scripts_app.models import Pause, Script
from tests.factories import make_schedule, make_script

pytestmark = pytest.mark.django_db


def press_undo(browser: Client, answer: object) -> None:
    """Post the form that stands beside the newest message on the page that an act leads to."""
    page = browser.get(answer.headers["Location"]).content.decode()  # type: ignore[attr-defined]
    messages = page.partition('<ul class="messages"')[2].partition("</ul>")[0]
    form = messages.rpartition("<form")[2]
    address = re.search(r'action="([^"]+)"', form)
    assert address, "there is no Undo"
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form)
    assert browser.post(address[1], dict(hidden)).status_code == 302


@pytest.mark.parametrize("enabled", [True, False])
def test_a_switched_script_is_as_before(browser: Client, enabled: bool) -> None:
    script = make_script(enabled=enabled)
    address = reverse("script-switch", args=[script.slug])
    answer = browser.post(address, {"enabled": "0" if enabled else "1", "tab": "runs"})
    script.refresh_from_db()
    assert script.enabled is not enabled
    press_undo(browser, answer)
    script.refresh_from_db()
    assert script.enabled is enabled


def test_a_deleted_script_is_back(browser: Client) -> None:
    script = make_script()
    press_undo(browser, browser.post(reverse("script-delete", args=[script.slug])))
    assert Script.objects.present().get() == script


def test_a_switched_schedule_and_a_paused_one_go_on(browser: Client) -> None:
    schedule = make_schedule(enabled=True)
    place = [schedule.script.slug, schedule.pk]
    press_undo(browser, browser.post(reverse("schedule-switch", args=place), {"enabled": "0"}))
    pause = {"length": "hour"}
    press_undo(browser, browser.post(reverse("schedule-pause", args=place), pause))
    schedule.refresh_from_db()
    assert (schedule.enabled, schedule.is_paused(timezone.now())) == (True, False)


def test_the_pause_of_all_schedules_ends_unless_there_was_one_before(browser: Client) -> None:
    address = reverse("pause-all")
    press_undo(browser, browser.post(address, {"length": "hour"}))
    assert Pause.objects.get().until is not None
    browser.post(address, {"length": "week"})
    answer = browser.post(address, {"length": "hour"})
    page = browser.get(answer.headers["Location"]).content.decode()
    assert "All schedules are paused until" in page
    assert "Undo" not in page.rpartition("All schedules are paused until")[2].partition("</ul>")[0]
