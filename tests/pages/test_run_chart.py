"""The chart of a run in a real browser, on a real Tempo."""

import pytest
from playwright.sync_api import Page, expect

from tests.pages.browser import LIMIT_MS
from tests.pages.test_every_page import DARK_RULES, findings
from tests.service import Service

HOLDING = """
import pathlib, time
held = bytearray(30_000_000)
print("holding")
gate = pathlib.Path("gate")
while not gate.exists():
    time.sleep(0.01)
"""

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("chromium")]


def test_a_chart_appears_goes_on_and_ends_without_a_reload(service: Service, screen: Page) -> None:
    slug = service.make_script("Holding", HOLDING, memory_mb=200)
    run = service.post(f"/scripts/{slug}/runs")["id"]
    screen.goto(f"{service.url}/runs/{run}/")
    chart = screen.locator("run-chart")
    expect(chart.get_by_role("img", name="Memory over time")).to_be_visible(timeout=LIMIT_MS)
    expect(chart).to_contain_text("limit 200 MB")
    chart.get_by_text("As a table").click()
    rows = chart.locator("tbody tr")
    first = rows.count()
    assert list(findings(screen, [])) == []
    screen.emulate_media(color_scheme="dark")
    assert list(findings(screen, DARK_RULES)) == []
    (service.data / "scripts" / slug / "files" / "gate").touch()
    expect(chart).not_to_have_attribute("data-live", "", timeout=LIMIT_MS)
    expect(chart).to_contain_text("Memory at most")
    expect(rows.first).to_be_visible()  # what was opened stays open
    assert rows.count() >= first >= 2


def test_a_run_too_short_for_samples_shows_none(service: Service, screen: Page) -> None:
    run = service.run(service.make_script("Short", "print(1)\n"))["id"]
    screen.goto(f"{service.url}/runs/{run}/")
    expect(screen.locator("[data-state]")).to_have_text("All of its output.", timeout=LIMIT_MS)
    expect(screen.locator("run-chart")).to_have_count(0)
