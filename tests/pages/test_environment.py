"""The environment page in a real browser, on a real Tempo with an index that grows."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests import local_index
from tests.pages.browser import LIMIT_MS
from tests.service import Service

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("chromium")]


def test_newer_packages_are_looked_at_before_they_are_used(
    screen: Page, service: Service, index: Path
) -> None:
    code = "import tempo_greeting; print(tempo_greeting.hello())"
    slug = service.make_script("Greeting", code, requirements="tempo-greeting")
    local_index.add_wheel(index, "tempo-greeting", "1.2")
    screen.goto(f"{service.url}/scripts/{slug}/environment/")
    screen.get_by_role("button", name="Upgrade packages…").click()
    row = screen.get_by_role("row").filter(has_text="changed")
    expect(row).to_have_text(
        re.compile(r"tempo-greeting\s*1\.1\s*1\.2\s*changed"), timeout=LIMIT_MS
    )  # by itself
    assert service.get(f"/runs/{service.run(slug)['id']}/log").startswith(
        "hello from tempo-greeting 1.1"
    )
    screen.get_by_role("button", name="Use it").click()
    expect(screen.get_by_role("row").filter(has_text="tempo-greeting")).to_have_text(
        re.compile(r"1\.2\s*1")
    )
    assert service.get(f"/runs/{service.run(slug)['id']}/log").startswith(
        "hello from tempo-greeting 1.2"
    )


def test_a_build_shows_how_far_it_is_until_it_ends(screen: Page, service: Service) -> None:
    slug = service.post(
        "/scripts", {"name": "Waiting", "code": "", "requirements": local_index.SILENT}
    )["slug"]
    screen.goto(f"{service.url}/scripts/{slug}/environment/")
    expect(screen.locator("build-progress")).to_contain_text("Resolving", timeout=LIMIT_MS)
    expect(screen.locator("build-progress progress")).to_be_visible()
    run = service.get("/runs?kind=build&status=running")["items"][0]
    service.post(f"/runs/{run['id']}/cancel")
    expect(screen.locator("#environment-title + .status")).to_have_text("failed", timeout=LIMIT_MS)
    expect(screen.locator("build-progress")).to_have_count(0)


# --- what a failed run's page offers ---------------------------------------------------------------------------------
NEEDS_PACKAGE = "import requests\nprint(requests.hello())\n"
NEEDS_SPACE = 'open("big", "wb").write(bytes(2 * 2**20))\n'
# As a script fares that has no `/tmp` of its own.
NEEDS_TMPDIR = """
import os
path = "/tmp/report.txt"
if path == os.sep + os.path.join("tmp", "report.txt"):
    raise PermissionError(13, "Permission denied", path)
open(path, "w").write("here")
"""


def press(screen: Page, service: Service, slug: str, name: str) -> dict[str, Any]:
    """Let a script fail, press what the run's page offers, and return the run that failed."""
    failed = service.run(slug, confirm=True)
    assert failed["status"] == "failed", failed
    screen.goto(f"{service.url}/runs/{failed['id']}/")
    card = screen.locator("section.why")
    card.get_by_text(name, exact=True).click()
    return failed


def test_a_missing_package_is_added_by_a_button(
    screen: Page, service: Service, index: Path
) -> None:
    local_index.add_wheel(index, "requests", "2.0")
    slug = service.make_script("Importing", NEEDS_PACKAGE)
    press(screen, service, slug, "Add requests")
    expect(screen.locator(".messages")).to_contain_text("was added in v2")
    assert service.run(slug)["status"] == "succeeded"


def test_a_limit_is_raised_where_the_button_leads(screen: Page, service: Service) -> None:
    slug = service.make_script("Writing", NEEDS_SPACE, file_mb=1)
    press(screen, service, slug, "Raise the limit")
    field = screen.locator("#id_file_mb")
    expect(field).to_be_in_viewport()
    field.fill("5")
    field.press("Enter")
    expect(screen.locator(".messages")).to_be_visible()
    assert service.run(slug)["status"] == "succeeded"


def test_paths_in_tmp_are_moved_by_a_button(screen: Page, service: Service) -> None:
    slug = service.make_script("Reporting", NEEDS_TMPDIR)
    press(screen, service, slug, "Use $TMPDIR")
    screen.wait_for_selector("code-editor.is-rich")
    screen.get_by_role("button", name="Save version").click()
    expect(screen.locator("[data-saved]")).to_have_text("Saved as v2")
    assert service.run(slug)["status"] == "succeeded"


def test_the_last_good_version_comes_back_and_a_failure_is_repeated(
    screen: Page, service: Service
) -> None:
    slug = service.make_script("Changing", "print('well')\n")
    service.run(slug)
    service.call("PATCH", f"/scripts/{slug}", {"code": "raise SystemExit('ill')\n"})
    failed = press(screen, service, slug, "Run again with the same code, packages and inputs")
    expect(screen).not_to_have_url(f"{service.url}/runs/{failed['id']}/")
    expect(screen.locator("[data-facts] .status")).to_have_text("failed")
    repeated = service.get(f"/runs?script={slug}&limit=1")["items"][0]
    assert repeated["id"] > failed["id"] and repeated["version"] == failed["version"]
    expect(screen).to_have_url(f"{service.url}/runs/{repeated['id']}/")
    screen.locator("section.why").get_by_text("Restore the last good version").click()
    expect(screen.locator(".messages")).to_contain_text("v1 is back, as v3.")
    assert service.run(slug)["status"] == "succeeded"
