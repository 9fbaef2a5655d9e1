"""The whole way of a new user, from the printed address to a schedule that fires.

In every look, without JavaScript, and with the keyboard alone.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests import local_index
from tests.pages.browser import LIMIT_MS, Look, browser_of, log_in
from tests.pages.listening import Ears
from tests.pages.test_every_page import looked_over
from tests.service import PASSWORD, Service, wait_for

CODE = "import tempo_greeting\nprint(tempo_greeting.hello())\n"
FIRST_LINE = "hello from tempo-greeting"
RUN_PAGE = re.compile(r"/runs/\d+/$")
MAX_TABS = 80

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("chromium")]


@pytest.fixture
def fresh(untouched: Path, tmp_path: Path) -> Iterator[Service]:
    """A Tempo that nobody has set up, with a package index of its own."""
    with (
        local_index.served(tmp_path / "index") as index,
        Service.copy_of(untouched, tmp_path / "fresh", PYSCHED_PACKAGE_INDEX=index) as service,
    ):
        yield service


def set_up_address(service: Service) -> str:
    """The one address that the console shows."""
    (line,) = (
        line for line in service.log.read_text().splitlines() if line.startswith("Set up Tempo: ")
    )
    return line.removeprefix("Set up Tempo: ")


@contextmanager
def quiet(service: Service, look: Look = Look.LIGHT, *, has_scripts: bool = True) -> Iterator[Page]:
    """A browser whose console has to stay silent, and which asks nobody but this Tempo."""
    ears = Ears(service.url)
    with browser_of(look, java_script_enabled=has_scripts, timezone_id="Asia/Tokyo") as page:
        ears.listen(page)
        yield page
    assert ears.troubles == []


# The dark one is walked by the keyboard below.
@pytest.mark.parametrize("look", [Look.LIGHT, Look.PHONE, Look.WIDE])
def test_set_up_write_run_schedule_watch(fresh: Service, look: Look) -> None:
    with quiet(fresh, look) as page:
        set_up(page, fresh)
        run_the_starter(page)
        page.goto(fresh.url)
        write_and_run(page)
        schedule_every_two_seconds(page)
        page.locator("live-list").get_by_role("link", name=re.compile(r"^#\d+$")).first.click()
        expect(page.locator("[data-console]")).to_contain_text(FIRST_LINE)
        expect(page.locator("[data-facts]")).to_contain_text("Schedule")
        page.goto(fresh.url)
        expect(page.locator(".steps")).to_have_count(0)  # all three are done
        expect(page.locator(".is-due")).to_contain_text("Greeting")


def set_up(page: Page, service: Service) -> None:
    """Become the admin, in the zone of the browser."""
    page.goto(set_up_address(service))
    expect(page.get_by_label("Time zone")).to_have_value("Asia/Tokyo")
    page.get_by_label("Username").fill("ann")
    choose_password(page, again=PASSWORD)
    page.wait_for_url(f"{service.url}/")


def choose_password(page: Page, *, again: str) -> None:
    """Fill the two fields of a password and send the form."""
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password again").fill(again)
    page.get_by_role("button", name="Set up Tempo").click()


def run_the_starter(page: Page) -> None:
    """The first of the four steps on the dashboard."""
    expect(page.locator(".steps h3")).to_have_text(
        ["Run Hello Tempo", "Write your own", "Give it a schedule", "Be told when one fails"]
    )
    page.get_by_role("button", name="Run it now").click()
    page.wait_for_url(RUN_PAGE)
    expect(page.locator("[data-console]")).to_contain_text(
        "Hello! This is Python", timeout=LIMIT_MS
    )


def write_and_run(page: Page) -> None:
    """A name, some code, a package, Run, and the output below them."""
    page.locator(".steps").get_by_role("link", name="New script").click()
    page.get_by_role("dialog").get_by_label("Name").fill("Greeting")
    page.get_by_role("button", name="Create script").click()
    page.wait_for_selector("code-editor.is-rich")
    page.locator(".ace_text-input").focus()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(CODE)
    page.get_by_label("Package to add").fill("tempo-greeting")
    page.get_by_role("button", name="Add").click()
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("console-drawer .row")).to_contain_text(FIRST_LINE, timeout=LIMIT_MS)
    expect(page.locator("console-drawer [data-status]")).to_have_text("succeeded")
    page.get_by_role("button", name="Close the output").click()


def schedule_every_two_seconds(page: Page) -> None:
    """The tab beside: what is meant is said in words before it is saved; then it fires."""
    page.locator(".tabs").get_by_role("link", name="Schedule").click()
    page.locator('label:has([name="kind"][value="interval"])').click()
    page.get_by_label("Every: number").fill("2")
    page.get_by_label("Every: unit").select_option("seconds")
    expect(page.locator("[data-shown]")).to_contain_text("Every 2 seconds")
    page.get_by_role("button", name="Save schedule").click()
    expect(page.locator(".messages")).to_contain_text("Saved: Every 2 seconds.")
    expect(page.locator("live-list .status-succeeded").first).to_be_visible(timeout=LIMIT_MS)


def test_the_same_without_javascript(fresh: Service) -> None:
    with quiet(fresh, Look.PHONE, has_scripts=False) as page:
        page.goto(set_up_address(fresh))
        expect(page.get_by_label("Time zone")).to_have_value("UTC")
        page.get_by_label("Username").fill("ann")
        choose_password(page, again="another")
        expect(page.locator(".errorlist")).to_be_visible()
        choose_password(page, again=PASSWORD)
        page.wait_for_url(f"{fresh.url}/")
    with quiet(fresh, has_scripts=False) as page:
        log_in(page, fresh.url)
        page.locator(".steps").get_by_role("link", name="New script").click()
        page.get_by_label("Name").fill("Greeting")
        page.get_by_role("button", name="Create script").click()
        page.locator("#id_code").fill(CODE)
        page.locator("#id_requirements").fill("tempo-greeting\n")
        page.get_by_role("button", name="Run", exact=True).click()
        page.wait_for_url(RUN_PAGE)
        reload_until(page, "[data-console]", FIRST_LINE)
        page.goto(f"{fresh.url}/scripts/greeting/schedule/")
        page.locator('label:has([name="kind"][value="interval"])').click()
        page.get_by_label("Every: number").fill("2")
        page.get_by_label("Every: unit").select_option("seconds")
        page.get_by_role("button", name="Preview").click()
        expect(page.locator("[data-shown]")).to_contain_text("Every 2 seconds")
        page.get_by_role("button", name="Save schedule").click()
        expect(page.locator(".messages")).to_contain_text("Saved: Every 2 seconds.")
        reload_until(page, ".entries", "succeeded")


def reload_until(page: Page, selector: str, text: str) -> None:
    """Reload, as a person without JavaScript does, until a part of the page says something."""

    def says() -> bool:
        page.reload()
        return text in page.locator(selector).inner_text()

    wait_for(says, what=f"{selector} to say {text!r}")


def test_the_same_with_the_keyboard_alone(fresh: Service) -> None:
    said: list[str] = []
    with quiet(fresh, Look.DARK) as page:
        page.on("console", lambda message: said.append(message.text))
        page.goto(set_up_address(fresh))
        expect(page.get_by_label("Time zone")).to_have_value("Asia/Tokyo")
        assert list(looked_over(page, [])) == []
        expect(page.get_by_label("Username")).to_be_focused()
        for text in ("ann", PASSWORD, PASSWORD):
            page.keyboard.type(text)
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_url(f"{fresh.url}/")
        assert (fresh.data / "time_zone").read_text() == "Asia/Tokyo\n"
        assert not (fresh.data / "setup_token").exists()
        page.goto(f"{fresh.url}/scripts/hello-tempo/")
        expect(page.locator("main")).to_contain_text("Hello Tempo")
        assert said == []
        page.goto(fresh.url)
        write_and_run_by_keys(page)
        schedule_by_keys(page)
        expect(page.locator("live-list .status-succeeded").first).to_be_visible(timeout=LIMIT_MS)


def write_and_run_by_keys(page: Page) -> None:
    """From the dashboard into the editor and out of it again, to the tab beside."""
    tab_to(page, "New script")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_label("Name")).to_be_focused()
    page.keyboard.type("Greeting")
    page.keyboard.press("Enter")
    page.wait_for_selector("code-editor.is-rich")
    tab_to(page, "main.py")
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(f"print({FIRST_LINE!r})\n")
    page.keyboard.press("Control+Enter")
    expect(page.locator("console-drawer .row")).to_contain_text(FIRST_LINE, timeout=LIMIT_MS)
    page.keyboard.press("Escape")
    page.keyboard.press("Shift+Tab")
    tab_to(page, "Schedule", key="Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/schedule/$"))


def schedule_by_keys(page: Page) -> None:
    """Simple, Cron, Interval: two steps to the right; then every 2 seconds."""
    tab_to(page, "Simple")
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    tab_to(page, "Every: number")
    page.keyboard.press("Control+a")
    page.keyboard.type("2")
    page.keyboard.press("Tab")
    page.keyboard.press("Home")
    tab_to(page, "Save schedule")
    page.keyboard.press("Enter")
    expect(page.locator(".messages")).to_contain_text("Saved: Every 2 seconds.")


FOCUSED_NAME = """() => {
  const one = document.activeElement, words = (label) => label.textContent;
  return one.getAttribute("aria-label") || [...(one.labels ?? [])].map(words).join(" ") || one.textContent;
}"""


def tab_to(page: Page, name: str, *, key: str = "Tab") -> None:
    """Press Tab until what has the focus is called so."""
    for _ in range(MAX_TABS):
        page.keyboard.press(key)
        if str(page.evaluate(FOCUSED_NAME)).strip().startswith(name):
            return
    raise AssertionError(f"{name!r} was not reached in {MAX_TABS} steps")
