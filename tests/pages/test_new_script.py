"""A new script that begins as a starter, in a browser."""

import pytest
from playwright.sync_api import Page, expect

from tests.service import Service

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.usefixtures("chromium")]


def test_a_starter_is_offered_where_there_is_nothing_and_chosen_in_the_dialog(
    service: Service, screen: Page
) -> None:
    screen.goto(f"{service.url}/scripts/")
    screen.get_by_role("link", name="Folder backup with rotation").click()
    dialog = screen.get_by_role("dialog", name="New script")
    expect(dialog.get_by_label("Folder backup with rotation")).to_be_checked()
    dialog.get_by_label("Disk space").check()
    dialog.get_by_role("button", name="Create script").click()
    screen.wait_for_url(f"{service.url}/scripts/disk-space/edit/")
    expect(screen.locator(".messages")).to_contain_text(
        "schedule, every hour, is there but switched off"
    )
    screen.locator(".tabs").get_by_role("link", name="Schedule").click()
    expect(screen.locator("main")).to_contain_text("Every hour")
    assert [item["enabled"] for item in service.get("/scripts/disk-space/schedules")["items"]] == [
        False
    ]
