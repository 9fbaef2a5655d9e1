"""The set-up page in a browser: the way of a new user from the printed address to the dashboard."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.pages.browser import Look, browser_of
from tests.service import PASSWORD, ROOT, Service, manage

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("chromium")]

BACKUP = ROOT / "tests" / "data" / "backups" / "0.1.0.tar.zst"


@pytest.fixture
def fresh(untouched: Path, tmp_path: Path) -> Iterator[Service]:
    """A Tempo that nobody has set up."""
    with Service.copy_of(untouched, tmp_path / "fresh") as service:
        yield service


def address(service: Service) -> str:
    """The set-up address as the console shows it."""
    lines = [
        line for line in service.log.read_text().splitlines() if line.startswith("Set up Tempo: ")
    ]
    return lines[-1].removeprefix("Set up Tempo: ")


def fill(page: Page) -> None:
    """Type a name and a password with the keyboard alone; the first field has the focus."""
    for text in ("ann", PASSWORD, PASSWORD):
        page.keyboard.type(text)
        page.keyboard.press("Tab")


def troubles(page: Page) -> list[str]:
    """Sideways scrolling and what axe finds serious."""
    width = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    found = [f"{width} px too wide"] if width > 0 else []
    serious = [
        item
        for item in Axe().run(page).response["violations"]
        if item["impact"] in ("serious", "critical")
    ]
    return found + [item["id"] for item in serious]


def test_a_newcomer_sets_tempo_up_with_the_keyboard_in_the_browsers_zone(fresh: Service) -> None:
    said: list[str] = []
    with browser_of(Look.DARK, timezone_id="Asia/Tokyo") as page:
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(address(fresh))
        expect(page.get_by_label("Time zone")).to_have_value("Asia/Tokyo")
        assert troubles(page) == []
        expect(page.get_by_label("Username")).to_be_focused()
        fill(page)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{fresh.url}/")
        page.goto(f"{fresh.url}/scripts/hello-tempo/")
        expect(page.locator("main")).to_contain_text("Hello Tempo")
    assert said == []
    assert (fresh.data / "time_zone").read_text() == "Asia/Tokyo\n"
    assert not (fresh.data / "setup_token").exists()


def test_the_address_outlives_restarts_until_it_is_used_on_a_phone_without_javascript(
    fresh: Service,
) -> None:
    first = address(fresh)
    fresh.stop()
    fresh.start()
    assert address(fresh).rpartition("/setup/")[2] == first.rpartition("/setup/")[2]
    with browser_of(Look.PHONE, java_script_enabled=False) as page:
        page.goto(address(fresh))
        expect(page.get_by_label("Time zone")).to_have_value("UTC")
        page.get_by_label("Username").fill("ann")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_label("Password again").fill("another")
        page.get_by_role("button", name="Set up Tempo").click()
        expect(page.locator(".errorlist")).to_be_visible()
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_label("Password again").fill(PASSWORD)
        page.get_by_role("button", name="Set up Tempo").click()
        page.wait_for_url(f"{fresh.url}/")


def test_a_backup_is_uploaded_at_the_address_until_a_superuser_of_the_command_line_ends_it(
    fresh: Service,
) -> None:
    variables = {"DJANGO_SUPERUSER_PASSWORD": PASSWORD}
    with browser_of() as page:
        page.goto(f"{address(fresh)}backup/")
        page.get_by_label("A backup from this computer").set_input_files(BACKUP)
        page.get_by_role("button", name="Upload").click()
        expect(page.get_by_label("Backup", exact=True)).to_have_value(re.compile("-uploaded"))
        page.goto(f"{fresh.url}/login/")
        expect(page.locator("main")).to_contain_text("set-up address")
        manage(
            fresh.data, "createsuperuser", "--noinput", "--username=ann", "--email=", **variables
        )
        answer = page.goto(address(fresh))
        assert answer is not None and answer.status == 404
        page.goto(f"{fresh.url}/login/")
        expect(page.locator("main")).not_to_contain_text("set-up address")
