"""Versions in a real browser: a note where one saves, two compared, one brought back."""

import pytest
from playwright.sync_api import Page, expect

from tests.service import Service

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("chromium")]


def test_a_version_is_saved_with_a_note_compared_and_restored(
    screen: Page, service: Service
) -> None:
    slug = str(service.post("/scripts", {"name": "Noted", "code": "print('one')\n"})["slug"])
    screen.goto(f"{service.url}/scripts/{slug}/edit/")
    screen.wait_for_selector("code-editor.is-rich")
    screen.locator(".ace_text-input").focus()
    screen.keyboard.press("Control+a")
    screen.keyboard.insert_text("print('two')\n")
    screen.get_by_label("Note for the next version").fill("two is better")
    screen.get_by_role("button", name="Save version").click()
    expect(screen.locator("[data-saved]")).to_have_text("Saved as v2")
    expect(screen.get_by_label("Note for the next version")).to_have_value("")
    screen.get_by_role("link", name="Versions").click()
    expect(screen.locator(".versions tbody tr").first).to_contain_text("two is better")
    screen.get_by_label("Compare from v1").check()
    screen.get_by_label("Compare to v2").check()
    screen.get_by_role("button", name="Compare").click()
    expect(screen.locator(".diff-row.is-removed")).to_contain_text("print('one')")
    screen.get_by_role("link", name="Side by side").click()
    expect(screen.locator(".diff-pair .is-added")).to_contain_text("print('two')")
    screen.get_by_role("button", name="Restore v1").click()
    expect(screen.locator(".messages")).to_contain_text("v1 is back, as v3.")
