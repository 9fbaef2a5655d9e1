"""The address of the set-up page in a browser; test_whole_way.py walks from it to the dashboard."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.pages.browser import browser_of
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


def test_the_address_outlives_restarts_and_uploads_until_a_superuser_of_the_command_line_ends_it(
    fresh: Service,
) -> None:
    first = address(fresh)
    fresh.stop()
    fresh.start()
    assert address(fresh).rpartition("/setup/")[2] == first.rpartition("/setup/")[2]
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
