"""The lists in a browser: filters without a reload, the way back, ticked boxes that outlive a refresh."""

import re

import pytest
from playwright.sync_api import Page, StorageState, expect

from tests.pages.browser import LIMIT_MS, browser_of
from tests.service import Service

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("chromium")]


def test_filters_apply_without_a_reload_and_the_way_back_leads_through_them(
    service: Service, screen: Page
) -> None:
    good, bad = (
        service.make_script("Good", "print('hello')\n"),
        service.make_script("Bad", "raise SystemExit(1)\n"),
    )
    runs = {slug: service.run(slug)["id"] for slug in (good, bad)}
    screen.goto(f"{service.url}/runs/")
    screen.evaluate("window.isTheSamePage = true")
    good_link = screen.get_by_role("link", name=f"#{runs[good]}", exact=True)
    screen.get_by_label("Status").select_option("failed")
    expect(good_link).to_be_hidden()
    expect(screen).to_have_url(f"{service.url}/runs/?status=failed")
    screen.get_by_label("Script").select_option("good")
    expect(screen.get_by_text("No run matches.")).to_be_visible()
    screen.get_by_role("link", name=re.compile("^Status: ")).click()
    expect(good_link).to_be_visible()
    expect(screen.get_by_label("Status")).to_have_value("")
    screen.go_back()
    expect(screen.get_by_text("No run matches.")).to_be_visible()
    expect(screen.get_by_label("Status")).to_have_value("failed")
    assert screen.evaluate("window.isTheSamePage")
    screen.reload()
    expect(screen.get_by_text("No run matches.")).to_be_visible()


def test_every_cell_of_a_list_is_within_its_card(service: Service, screen: Page) -> None:
    slug = service.make_script("Import the readings of all sensors", "print('hello')\n")
    timing = {"kind": "cron", "cron": "30 6 * * 1-5", "timezone": "America/Argentina/Buenos_Aires"}
    service.post(f"/scripts/{slug}/schedules", timing)
    service.run(slug)
    for path in ("scripts/", "runs/", f"scripts/{slug}/"):
        for width in (1280, 1024):
            screen.set_viewport_size({"width": width, "height": 720})
            screen.goto(f"{service.url}/{path}")
            too_wide = "list => list.scrollWidth - list.clientWidth"
            assert screen.locator(".scroller:visible").first.evaluate(too_wide) == 0, (path, width)


def test_ticks_and_focus_outlive_a_refresh_and_several_scripts_are_done_at_once(
    service: Service, screen: Page
) -> None:
    slugs = [
        service.make_script(name, "print('hello')\n", folder="Ticked")
        for name in ("One", "Two", "Three")
    ]
    screen.goto(f"{service.url}/scripts/?folder=Ticked")
    screen.get_by_label("Two", exact=True).check()
    expect(screen.locator("[data-selected]")).to_have_text("1 of 3 scripts ticked")
    run = service.run(slugs[0])["id"]
    expect(screen.locator(f"a[href='/runs/{run}/']")).to_contain_text("succeeded", timeout=LIMIT_MS)
    expect(screen.get_by_label("Two", exact=True)).to_be_checked()
    expect(screen.get_by_label("Two", exact=True)).to_be_focused()
    screen.get_by_label("All", exact=True).check()
    expect(screen.locator("[data-selected]")).to_have_text("3 of 3 scripts ticked")
    screen.get_by_role("button", name="Disable").click()
    expect(screen.get_by_text("Disabled 3 scripts.")).to_be_visible()
    assert not service.get(f"/scripts/{slugs[0]}")["enabled"]


def test_what_is_typed_into_the_folder_field_outlives_a_refresh(
    service: Service, screen: Page
) -> None:
    slugs = [
        service.make_script(name, "print('hello')\n", folder="Typing") for name in ("Here", "There")
    ]
    screen.goto(f"{service.url}/scripts/?folder=Typing")
    screen.get_by_label("Here", exact=True).check()
    field = screen.get_by_label("Folder to move them to")
    field.focus()
    screen.keyboard.type("Old ")
    run = service.run(slugs[1])["id"]
    expect(screen.locator(f"a[href='/runs/{run}/']")).to_contain_text("succeeded", timeout=LIMIT_MS)
    expect(field).to_be_focused()
    screen.keyboard.type("reports")
    expect(field).to_have_value("Old reports")
    screen.keyboard.press("Enter")  # presses none of the buttons
    screen.get_by_role("button", name="Move").click()
    expect(screen.get_by_text("Moved 1 script.")).to_be_visible()
    assert service.get(f"/scripts/{slugs[0]}")["folder"] == "Old reports"
    assert len(service.get(f"/runs?script={slugs[0]}")["items"]) == 0


def test_without_javascript_the_lists_filter_and_act(
    service: Service, session: StorageState
) -> None:
    service.run(service.make_script("Alone", "print('hello')\n", folder="Ops"))
    with browser_of(java_script_enabled=False, storage_state=session) as page:
        page.goto(f"{service.url}/runs/?script=alone")
        page.get_by_label("Status").select_option("failed")
        page.get_by_role("button", name="Filter").click()
        expect(page.get_by_text("No run matches.")).to_be_visible()
        page.goto(f"{service.url}/scripts/")
        page.get_by_role("link", name="Ops").click()
        page.get_by_label("Alone", exact=True).check()
        page.get_by_role("button", name="Run", exact=True).click()
        expect(page.get_by_text("Started 1 script.")).to_be_visible()
        expect(page).to_have_url(f"{service.url}/scripts/?folder=Ops")
