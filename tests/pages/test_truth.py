"""Pages that stay open stay true: times go on, a server that does not answer shows, a form is sent once."""

import re

import pytest
from playwright.sync_api import Page, StorageState, expect

from tests.pages.browser import LIMIT_MS, browser_of
from tests.service import Service

# Whatever waits on a page waits a tenth of it.
HURRY = (
    "for (const name of ['setInterval', 'setTimeout']) {"
    " const real = window[name]; window[name] = (act, wait) => real(act, wait / 10) }"
)
GREY = "element => getComputedStyle(element).color"

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("chromium")]


def test_how_long_ago_a_run_was_goes_on_while_one_looks(service: Service, screen: Page) -> None:
    run = service.run(service.make_script("Past", "print('hello')\n"))["id"]
    screen.goto(f"{service.url}/runs/{run}/")
    ago = screen.locator("[data-facts] time[data-away-s]").first
    before = ago.inner_text()
    assert re.fullmatch(r"\d+ s ago", before)
    expect(ago).not_to_have_text(before, timeout=LIMIT_MS)
    assert re.fullmatch(r"\d+ s ago", ago.inner_text())


def test_a_server_that_does_not_answer_shows_in_the_pill_and_statuses_are_grey_meanwhile(
    service: Service, screen: Page
) -> None:
    run = service.run(service.make_script("Colours", "print('hello')\n"))["id"]
    screen.add_init_script(HURRY)
    screen.goto(f"{service.url}/runs/{run}/")
    pill, status = screen.locator(".engine"), screen.locator("[data-facts] .status")
    expect(pill).to_have_text("engine ok")
    colour = status.evaluate(GREY)
    screen.route("**/healthz", lambda route: route.abort())
    expect(pill).to_have_text("no answer", timeout=LIMIT_MS)
    expect(pill).to_have_attribute("title", re.compile("The server does not answer"))
    assert status.evaluate(GREY) != colour
    screen.unroute("**/healthz")
    expect(pill).to_have_text("engine ok", timeout=LIMIT_MS)
    assert status.evaluate(GREY) == colour


def test_an_engine_that_fails_meanwhile_shows_with_its_reason(
    service: Service, screen: Page
) -> None:
    screen.add_init_script(HURRY)
    screen.goto(f"{service.url}/scripts/")
    report = {"status": "failing", "failing": ["disk"], "parts": {"disk": "1 MB free"}}
    screen.route("**/healthz", lambda route: route.fulfill(status=503, json=report))
    pill = screen.locator(".engine")
    expect(pill).to_have_text("engine failing", timeout=LIMIT_MS)
    expect(pill).to_have_attribute("title", "disk: 1 MB free")
    screen.unroute("**/healthz")
    expect(pill).to_have_text("engine ok", timeout=LIMIT_MS)


@pytest.mark.parametrize("has_script", [True, False], ids=["with", "without"])
def test_a_double_click_acts_once_with_and_without_javascript(
    service: Service, session: StorageState, *, has_script: bool
) -> None:
    slug = service.make_script(f"Clicked {has_script}", "print('hello')\n")
    with browser_of(java_script_enabled=has_script, storage_state=session) as page:
        page.goto(f"{service.url}/scripts/{slug}/runs/")
        page.get_by_role("button", name="Run", exact=True).dblclick()
        expect(page).to_have_url(re.compile(r"/runs/\d+/"), timeout=LIMIT_MS)
        page.goto(f"{service.url}/scripts/{slug}/schedules/new/")
        page.get_by_role("button", name="Save").dblclick()
        # Not wait_for_url: the second click breaks off the first one's navigation.
        expect(page).to_have_url(f"{service.url}/scripts/{slug}/schedule/", timeout=LIMIT_MS)
    assert len(service.get(f"/runs?script={slug}")["items"]) == 1
    assert len(service.get(f"/scripts/{slug}/schedules")["items"]) == 1


def test_a_form_on_its_way_is_not_sent_again(service: Service, screen: Page) -> None:
    slug = service.make_script("Slow answer", "print('hello')\n")
    screen.goto(f"{service.url}/scripts/{slug}/runs/")
    sent: list[str] = []
    screen.route("**/run/", lambda route: sent.append(route.request.method))  # never answered
    place = screen.get_by_role("button", name="Run", exact=True).bounding_box()
    assert place
    with screen.expect_request("**/run/"):
        for _ in range(3):  # by hand: a locator would wait for the way to the next page
            screen.mouse.click(place["x"] + 5, place["y"] + 5)
    screen.mouse.move(0, 0)
    assert sent == ["POST"]


def test_a_run_from_the_editor_is_called_manual(service: Service, screen: Page) -> None:
    slug = service.make_script("By hand", "print('hello')\n")
    screen.goto(f"{service.url}/scripts/{slug}/edit/")
    screen.keyboard.press("Control+Enter")
    expect(screen.locator("console-drawer [data-status]")).to_have_text(
        "succeeded", timeout=LIMIT_MS
    )
    assert [run["trigger"] for run in service.get(f"/runs?script={slug}")["items"]] == ["manual"]


def test_a_usual_value_is_put_in_by_its_button(service: Service, screen: Page) -> None:
    screen.goto(f"{service.url}/settings/limits/")
    field = screen.get_by_label("Memory, default (MB)")
    screen.get_by_role("button", name="2 GB").first.click()
    expect(field).to_have_value("2048")
