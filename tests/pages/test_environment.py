"""The environment page in a real browser, on a real Tempo with an index that grows."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests import local_index
from tests.pages.browser import LIMIT_MS
from tests.service import Service

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.usefixtures("chromium")]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the index."""
    return tmp_path_factory.mktemp("environment") / "index"


@pytest.fixture(scope="module")
def service(prepared: Path, index: Path) -> Iterator[Service]:
    """One Tempo for all tests here, with that index."""
    with (
        local_index.served(index) as url,
        Service.copy_of(prepared, index.parent / "data", PYSCHED_PACKAGE_INDEX=url) as running,
    ):
        yield running


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
