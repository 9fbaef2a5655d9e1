"""Keys in a real browser: the palette, keys that buttons declare, rows, and the switch that turns them off."""

import re

import pytest
from playwright.sync_api import Page, Route, StorageState, expect

from tests.pages.browser import LIMIT_MS, browser_of
from tests.service import Service

SLEEPER = "import time\nprint('asleep', flush=True)\ntime.sleep(600)\n"

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.usefixtures("chromium")]


def test_the_palette_leads_to_a_script_by_a_few_letters_and_gives_the_focus_back(
    service: Service, screen: Page
) -> None:
    service.make_script("Nightly backup", "print('hello')\n", folder="Ops")
    screen.goto(f"{service.url}/runs/")
    screen.get_by_label("Status").focus()
    screen.keyboard.press("Control+k")
    palette = screen.get_by_role("dialog", name="Search or jump to")
    expect(palette.get_by_role("option").first).to_contain_text("Dashboard")
    screen.keyboard.press("ArrowUp")
    expect(palette.get_by_role("option", selected=True)).to_contain_text("Nightly backup")
    screen.keyboard.press("Escape")
    expect(palette).to_be_hidden()
    expect(screen.get_by_label("Status")).to_be_focused()

    screen.get_by_role("link", name="Search or jump to").click()
    screen.keyboard.type("<b>no such thing")
    search = re.compile("search the output of all runs")
    expect(palette.get_by_role("option")).to_have_text([search])
    screen.keyboard.press("Control+a")
    screen.keyboard.type("night")
    screen.keyboard.press("Enter")  # before the answer is there
    screen.wait_for_url(f"{service.url}/scripts/nightly-backup/")


def test_what_is_typed_before_the_palette_is_there_is_for_the_palette(
    service: Service, screen: Page
) -> None:
    service.post("/scripts", {"name": "Riser", "code": "print('hello')\n"})
    waiting: list[Route] = []
    screen.route(re.compile(r"/palette[.\w]*\.js"), lambda route: waiting.append(route))
    screen.goto(f"{service.url}/scripts/riser/runs/")
    with screen.expect_request(re.compile(r"/palette[.\w]*\.js")):
        screen.keyboard.press("Control+k")
    press(screen, "r", "i", "s")  # `r` alone would press Run
    waiting.pop().continue_()
    palette = screen.get_by_role("dialog", name="Search or jump to")
    expect(palette.get_by_role("combobox")).to_have_value("ris")
    expect(palette.get_by_role("option").first).to_contain_text("Riser")
    screen.unroute_all()
    assert service.get("/runs?script=riser")["items"] == []


def test_keys_go_to_places_press_buttons_and_walk_through_rows(
    service: Service, screen: Page
) -> None:
    for name in ("Sleeper", "Quick"):
        service.make_script(name, SLEEPER, folder="Keys")
    screen.goto(service.url)
    press(screen, "g", "s")
    screen.wait_for_url(f"{service.url}/scripts/")
    screen.get_by_role("link", name="Keys 2").click()
    screen.wait_for_url(f"{service.url}/scripts/?folder=Keys")
    press(screen, "j", "j", "k", "x")
    expect(screen.get_by_role("link", name="Quick")).to_be_focused()
    expect(screen.locator("[data-selected]")).to_have_text("1 of 2 scripts ticked")
    press(screen, "Enter")
    screen.wait_for_url(f"{service.url}/scripts/quick/")
    screen.goto(f"{service.url}/scripts/quick/runs/")
    press(screen, "r")
    screen.wait_for_url(re.compile(r"/runs/\d+/$"))
    expect(screen.locator("[data-console]")).to_contain_text("asleep", timeout=LIMIT_MS)
    press(screen, ".")
    expect(screen.locator("[data-facts] .status")).to_have_text("cancelled", timeout=LIMIT_MS)
    press(screen, "/")
    expect(screen.get_by_label("Find in output")).to_be_focused()


def test_what_is_typed_into_a_field_is_text_and_the_keys_can_be_turned_off(
    service: Service, screen: Page
) -> None:
    service.make_script("Typed", "print('hello')\n")
    screen.goto(f"{service.url}/scripts/")
    press(screen, "/")
    screen.keyboard.type("ngrt?")
    expect(screen.get_by_label("Name")).to_have_value("ngrt?")
    screen.get_by_label("Name").blur()
    press(screen, "?")
    keys = screen.get_by_role("dialog", name="Keys")
    expect(keys).to_contain_text("New script")
    keys.get_by_label("Keys without Ctrl do something").uncheck()
    # A key may come before the browser takes the focus out of a dialog that is closed already.
    keys.evaluate(
        """(dialog) => {
            dialog.close();
            const field = dialog.querySelector("input");
            const options = { bubbles: true, cancelable: true };
            field.dispatchEvent(new KeyboardEvent("keydown", { key: "n", ...options }));
            field.dispatchEvent(new KeyboardEvent("keydown", { key: "k", ctrlKey: true, ...options }));
        }"""
    )
    expect(screen.get_by_role("dialog")).to_have_count(1)
    expect(screen.get_by_role("dialog", name="Search or jump to")).to_be_visible()


def test_without_javascript_the_search_in_the_top_bar_leads_to_the_scripts(
    service: Service,
    session: StorageState,
) -> None:
    with browser_of(java_script_enabled=False, storage_state=session) as page:
        page.goto(service.url)
        page.get_by_role("link", name="Search or jump to").click()
        expect(page).to_have_url(f"{service.url}/scripts/")


def press(screen: Page, *keys: str) -> None:
    """Press keys one after the other."""
    for key in keys:
        screen.keyboard.press(key)
