"""The run page in a real browser, on a real Tempo."""

import os
import re
import signal

import pytest
from playwright.sync_api import Page, expect

from tests.pages.browser import LIMIT_MS
from tests.service import Service, wait_for

TALKER = """
import pathlib, sys, time
print("first line")
print("<b>not bold</b>", file=sys.stderr)
sys.stdout.write("half ")
sys.stdout.flush()
gate = pathlib.Path("gate")
while not gate.exists():
    time.sleep(0.01)
print("done")
raise SystemExit(3)
"""
COUNTER = """
import pathlib, time
for n in range(200):
    print("line", n)
gate = pathlib.Path("gate")
while not gate.exists():
    time.sleep(0.01)
for n in range(200, 400):
    print("line", n)
    time.sleep(0.01)
"""

MAX_ROWS = 400  # in the page at any time, however long the log
# Looks at the whole log from its top, a page at a time, and returns the text of every row by its number.
READ_ALL = """async (view) => {
  const found = {}, painted = () => new Promise(requestAnimationFrame);
  view.scrollTop = 0;
  for (let last = -1; last !== view.scrollTop; ) {
    await painted(); await painted();
    while (view.querySelector(".is-coming")) await painted();
    for (const row of view.querySelectorAll(".row")) found[row.dataset.n] = row.querySelector(".row-x").textContent;
    last = view.scrollTop;
    view.scrollTop += view.clientHeight;
  }
  return found;
}"""

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("chromium")]


def open_gate(service: Service, slug: str) -> None:
    """Let a waiting script go on."""
    (service.data / "scripts" / slug / "files" / "gate").touch()


def all_lines(screen: Page) -> dict[int, str]:
    """Every line of the console by its number, as a reader who scrolls through it sees them."""
    found: dict[str, str] = screen.locator("[data-console]").evaluate(READ_ALL)
    return {int(number): text for number, text in found.items()}


def test_output_and_end_appear_without_a_reload(service: Service, screen: Page) -> None:
    slug = service.make_script("Talker", TALKER)
    run = service.post(f"/scripts/{slug}/runs")["id"]
    screen.goto(f"{service.url}/runs/{run}/")
    console = screen.locator("[data-console]")
    expect(console).to_contain_text("first line", timeout=LIMIT_MS)
    expect(console.locator(".row-stderr")).to_have_text(re.compile("<b>not bold</b>"))
    expect(console).to_contain_text("half")
    expect(screen.locator("[data-facts] .status")).to_have_text("running")
    expect(screen.locator("#cancel-run")).to_be_visible()
    open_gate(service, slug)
    expect(console).to_contain_text("half done")
    expect(screen.locator("[data-facts] .status")).to_have_text("failed")
    expect(screen.locator("[data-facts] .why-words")).to_have_text("<b>not bold</b>")
    expect(screen.locator("[data-facts] .why")).to_contain_text("Exit code 3.")
    expect(screen.get_by_role("button", name="Run again", exact=True)).to_be_visible()
    expect(screen.locator("[data-state]")).to_have_text("All of its output.")


def test_cancel_ends_it_and_the_page_says_by_whom(service: Service, screen: Page) -> None:
    slug = service.make_script("Talker", TALKER)
    run = service.post(f"/scripts/{slug}/runs")["id"]
    screen.goto(f"{service.url}/runs/{run}/")
    expect(screen.locator("[data-console]")).to_contain_text("first line", timeout=LIMIT_MS)
    screen.locator("#cancel-run").click()
    expect(screen.locator("[data-facts] .status")).to_have_text("cancelled", timeout=LIMIT_MS)
    expect(screen.locator("[data-facts]")).to_contain_text(re.compile("Cancelled by\\s*ann"))


def test_a_page_resumes_after_the_web_process_died_without_losing_a_line(
    service: Service, screen: Page
) -> None:
    slug = service.make_script("Counter", COUNTER)
    run = service.post(f"/scripts/{slug}/runs")["id"]
    screen.goto(f"{service.url}/runs/{run}/")
    expect(screen.locator("[data-console]")).to_contain_text("line 199", timeout=LIMIT_MS)
    os.kill(service.web_pid(), signal.SIGKILL)
    open_gate(service, slug)
    expect(screen.locator("[data-state]")).to_have_text("All of its output.", timeout=LIMIT_MS)
    assert all_lines(screen) == {number + 1: f"line {number}" for number in range(400)}


def test_where_websockets_are_blocked_the_page_polls_and_says_so(
    service: Service, screen: Page
) -> None:
    slug = service.make_script("Talker", TALKER)
    run = service.post(f"/scripts/{slug}/runs")["id"]
    screen.add_init_script(
        "delete window.WebSocket; window.WebSocket = class extends EventTarget { constructor() { super();"
        " setTimeout(() => this.dispatchEvent(new CloseEvent('close', {code: 1006}))) } close() {} }"
    )
    screen.goto(f"{service.url}/runs/{run}/")
    state = screen.locator("[data-state]")
    expect(state).to_have_text("Live updates lost: looking every 2 s instead", timeout=LIMIT_MS)
    expect(screen.locator("[data-console]")).to_contain_text("first line")
    open_gate(service, slug)
    expect(state).to_have_text("All of its output.", timeout=LIMIT_MS)
    expect(screen.locator("[data-facts] .status")).to_have_text("failed")


def test_a_flood_is_followed_to_its_end_and_every_line_of_it_can_be_reached(
    service: Service, screen: Page
) -> None:
    slug = service.make_script("Flood", "for n in range(30_000):\n  print('line', n, 'x' * 100)\n")
    run = service.post(f"/scripts/{slug}/runs")["id"]
    screen.goto(f"{service.url}/runs/{run}/")
    expect(screen.locator("[data-state]")).to_have_text("All of its output.", timeout=LIMIT_MS)
    expect(screen.locator("[data-total]")).to_have_text("30,000 lines")
    expect(screen.locator('.row[data-n="30000"]')).to_contain_text("line 29999 ")
    screen.goto(f"{service.url}/runs/{run}/#L15000")
    expect(screen.locator('.row[data-n="15000"]')).to_contain_text("line 14999 ")
    assert screen.locator("[data-console] .row").count() < MAX_ROWS


def test_the_list_of_runs_shows_a_new_run_and_its_end_without_a_reload(
    service: Service, screen: Page
) -> None:
    slug = service.make_script("Talker", TALKER)
    screen.goto(f"{service.url}/runs/?script={slug}")
    expect(screen.locator("live-list")).to_contain_text("No run matches.")
    run = service.post(f"/scripts/{slug}/runs")["id"]
    expect(screen.get_by_role("link", name=f"#{run}")).to_be_visible(timeout=LIMIT_MS)
    expect(screen.locator(".status-running")).to_have_count(1, timeout=LIMIT_MS)
    open_gate(service, slug)
    expect(screen.locator(".status-failed")).to_have_count(1, timeout=LIMIT_MS)
    wait_for(lambda: screen.locator(".status-running").count() == 0, what="the running badge to go")
