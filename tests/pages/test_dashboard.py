"""The dashboard in a browser: it lives over one socket, says so when that is lost, and fits a phone."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.pages.browser import LIMIT_MS, Look, browser_of, log_in
from tests.service import Service

SLEEPER = "import time\ntime.sleep(300)\n"

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("chromium")]


def test_a_run_appears_ticks_and_is_cancelled_without_a_reload(
    service: Service, screen: Page
) -> None:
    slug = service.make_script("Sleeper", SLEEPER)
    screen.goto(service.url)
    screen.evaluate("window.isTheSamePage = true")
    expect(screen.locator(".tiles")).to_contain_text("Running now")
    run = service.post(f"/scripts/{slug}/runs")["id"]
    row = screen.locator(".lines li", has_text=f"#{run}").filter(has=screen.locator("button"))
    expect(row).to_be_visible(timeout=LIMIT_MS)
    timer = row.locator("[data-elapsed-s]")
    expect(timer).to_have_text(re.compile(r"^([2-9]|\d\d) s$"), timeout=LIMIT_MS)
    expect(screen.locator(".tile.is-busy")).to_contain_text("1")
    assert screen.evaluate("window.isTheSamePage")
    row.get_by_role("button", name=f"Cancel run #{run}").click()
    assert service.finished(run)["status"] == "cancelled"


def test_without_a_socket_it_says_so_and_polls_until_it_is_back(
    service: Service, screen: Page
) -> None:
    slug = service.make_script("Quick", "print('hello')\n")
    screen.add_init_script(
        "for (const name of ['setInterval', 'setTimeout']) {"  # ten times as fast
        " const real = window[name]; window[name] = (act, wait) => real(act, wait / 10) }"
        "const Real = WebSocket; window.isBlocked = true;"
        "window.WebSocket = class extends EventTarget { constructor(url) { super();"
        " if (!window.isBlocked) return new Real(url);"
        " setTimeout(() => this.dispatchEvent(new CloseEvent('close', {code: 1006}))) } close() {} };"
        "WebSocket.OPEN = 1"
    )
    screen.goto(f"{service.url}/runs/")
    state = screen.locator("[data-state]")
    expect(state).to_have_text("Live updates lost, retrying", timeout=LIMIT_MS)
    run = service.run(slug)["id"]
    expect(screen.get_by_role("link", name=f"#{run}", exact=True)).to_be_visible(timeout=LIMIT_MS)
    screen.evaluate("window.isBlocked = false")
    expect(state).to_have_text("", timeout=LIMIT_MS)


def test_on_a_phone_the_drawer_and_the_menu_open_by_touch_and_close_by_escape(
    service: Service,
) -> None:
    with browser_of(Look.PHONE, java_script_enabled=False) as page:
        log_in(page, service.url)
        rail = page.get_by_role("navigation", name="Main", exact=True)
        expect(rail).to_be_hidden()
        page.get_by_role("button", name="More").tap()
        expect(rail).to_be_visible()
        page.keyboard.press("Escape")
        expect(rail).to_be_hidden()
        expect(page.get_by_role("button", name="More")).to_be_focused()
        page.get_by_role("button", name="Account of ann").tap()
        page.get_by_role("button", name="Log out").tap()
        page.wait_for_url(f"{service.url}/login/")


def test_new_script_opens_a_dialog_and_leads_to_the_editor(service: Service, screen: Page) -> None:
    screen.goto(service.url)
    screen.get_by_role("link", name="New script").first.click()
    dialog = screen.get_by_role("dialog", name="New script")
    expect(dialog.get_by_label("Name")).to_be_focused()
    screen.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(screen.get_by_role("link", name="New script").first).to_be_focused()
    screen.keyboard.press("Enter")
    dialog.get_by_label("Name").fill("Made in a dialog")
    screen.keyboard.press("Enter")
    screen.wait_for_url(f"{service.url}/scripts/made-in-a-dialog/edit/")
