"""The schedule builder in a real browser, on a real Tempo."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.pages.browser import LIMIT_MS
from tests.service import Service, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("chromium")]


def choose(screen: Page, name: str, value: str) -> None:
    """Choose a radio button by its words' place: the button itself lies invisible over them."""
    screen.locator(f'label:has([name="{name}"][value="{value}"])').click()


def middle_of(part: Locator) -> float:
    box = part.bounding_box()
    assert box
    return box["y"] + box["height"] / 2


def test_a_schedule_made_in_the_builder_fires_while_one_watches(
    service: Service, screen: Page
) -> None:
    slug = service.make_script("Clock", "print('tick')\n")
    screen.goto(f"{service.url}/scripts/{slug}/schedule/")
    choose(screen, "kind", "interval")
    screen.fill("[name=every_s_0]", "2")
    screen.select_option("[name=every_s_1]", label="seconds")
    said = screen.locator("[data-shown]")
    expect(said).to_contain_text("Every 2 seconds")
    expect(said.locator(".moments li")).to_have_count(5)
    screen.get_by_role("button", name="Save schedule").click()
    expect(screen.locator(".messages")).to_contain_text("Saved: Every 2 seconds.")
    expect(screen.locator("live-list .status-succeeded").first).to_be_visible(timeout=LIMIT_MS)
    screen.get_by_role("button", name="Disable", exact=True).last.click()
    expect(screen.locator(".entries")).to_contain_text("Starts nothing while it is disabled.")


def test_line_boxes_and_plain_choices_stay_in_step_and_the_server_has_the_word(
    service: Service, screen: Page
) -> None:
    slug = service.make_script("Clock", "print('tick')\n")
    screen.goto(f"{service.url}/scripts/{slug}/schedules/new/")
    said, line = screen.locator("[data-shown]"), screen.locator("[name=cron]")
    boxes = screen.locator("[data-boxes] input:visible")

    choose(screen, "simple_every", "week")
    choose(screen, "simple_weekdays", "5")
    expect(said).to_contain_text("Monday through Thursday")
    choose(screen, "kind", "cron")
    expect(line).to_have_value("0 9 * * 1-4")
    expect(boxes.last).to_have_value("1-4")
    boxes.first.fill("60")
    expect(line).to_have_value("60 9 * * 1-4")
    expect(screen.locator("#errors-cron")).to_have_text("Minute 60: use 0-59")
    expect(line).to_have_attribute("aria-invalid", "true")
    line.fill("@monthly")
    expect(screen.locator("#errors-cron")).to_be_empty()
    expect(said).to_contain_text("on day 1 of the month")
    choose(screen, "kind", "simple")
    expect(screen.locator("[name=simple_every][value=month]")).to_be_checked()
    expect(screen.locator("[name=simple_time]")).to_have_value("00:00")
    choose(screen, "kind", "cron")
    line.fill("*/7 * * * *")
    expect(said).to_contain_text("Every 7 minutes")
    choose(screen, "kind", "simple")
    expect(screen.locator("[data-too-much]")).to_be_visible()
    expect(line).to_have_value("*/7 * * * *")


def test_the_builder_needs_no_mouse_and_fits_a_phone(service: Service, screen: Page) -> None:
    slug = service.make_script("Clock", "print('tick')\n")
    screen.set_viewport_size({"width": 390, "height": 844})
    screen.goto(f"{service.url}/scripts/{slug}/schedules/new/")
    screen.locator("[name=kind]:checked").focus()
    screen.keyboard.press("ArrowRight")
    expect(screen.locator("[name=kind][value=cron]")).to_be_focused()
    expect(screen.locator("[data-shown]")).to_contain_text("At 09:00")
    screen.keyboard.press("Tab")
    screen.keyboard.press("ControlOrMeta+A")
    screen.keyboard.type("15")
    expect(screen.locator("[data-shown]")).to_contain_text("At 09:15")
    assert screen.evaluate("document.documentElement.scrollWidth") <= 390
    screen.locator("[name=cron]").press("Enter")
    expect(screen.locator(".messages")).to_contain_text("Saved: At 09:15.")


def test_what_stands_apart_shows_what_belongs_to_a_choice_and_the_panel_says_it(
    service: Service, screen: Page
) -> None:
    slug = service.make_script("Clock", "print('tick')\n")
    screen.goto(f"{service.url}/scripts/{slug}/schedules/new/")
    said = screen.locator("[data-shown]")
    expect(screen.locator("[name=overlap]")).to_be_hidden()
    screen.locator(".more summary").click()
    for name in (
        "max_parallel",
        "missed_cap",
        "retry_delay_s_0",
        "retry_max_delay_s_0",
        "delay_s_0",
    ):
        expect(screen.locator(f"[name={name}]")).to_be_hidden()
    screen.select_option("[name=overlap]", "parallel")
    screen.select_option("[name=missed]", "all")
    screen.select_option("[name=retries]", "3")
    screen.select_option("[name=retry_backoff]", "doubling")
    for name in ("max_parallel", "missed_cap", "retry_delay_s_0", "retry_max_delay_s_0"):
        expect(screen.locator(f"[name={name}]")).to_be_visible()
    screen.fill("[name=max_parallel]", "99")
    expect(screen.locator("#errors-max_parallel")).to_contain_text("Use 20 or less")
    screen.fill("[name=max_parallel]", "4")
    screen.fill("[name=jitter_s_0]", "30")
    expect(said).to_contain_text("Each start up to 30 s later, the same each time")
    choose(screen, "kind", "startup")
    expect(screen.locator("[name=jitter_s_0]")).to_be_hidden()
    screen.fill("[name=delay_s_0]", "45")
    expect(said).to_contain_text("45 s after Tempo has started")
    screen.get_by_role("button", name="Save schedule").click()
    expect(screen.locator(".entries")).to_contain_text("45 s after Tempo has started")


def test_everything_is_paused_and_resumed_from_wherever_one_is(
    service: Service, screen: Page
) -> None:
    slug = service.make_script("Clock", "print('tick')\n")
    schedule = service.post(f"/scripts/{slug}/schedules", {"kind": "interval", "every_s": 1})
    screen.goto(f"{service.url}/scripts/{slug}/schedule/")
    pause = screen.get_by_role("link", name="Pause everything…")
    add = screen.get_by_role("link", name="Add a schedule", exact=True)
    assert abs(middle_of(pause) - middle_of(add)) < 1
    pause.click()
    screen.get_by_role("button", name="Until further notice").click()
    banner = screen.locator(".banner.is-paused")
    expect(banner).to_contain_text("All schedules are paused until further notice, by ann")
    expect(screen.locator(".entries")).to_contain_text(
        "It starts nothing while all schedules are paused."
    )
    assert service.get(f"/schedules/{schedule['id']}")["next_at"] is None
    # A moment has come within the pause: there is one a second.
    since = service.get("/pause")["since"]
    past = "since => Date.now() > Date.parse(since) + 1100"
    wait_for(lambda: screen.evaluate(past, since), what="a moment within the pause")
    banner.get_by_role("button", name="Resume").click()
    expect(banner).to_have_count(0)
    expect(screen.locator("#ledger .status-skipped").first).to_be_visible(timeout=LIMIT_MS)
    expect(screen.locator("#ledger")).to_contain_text("Its schedule was paused.")
    service.call("DELETE", f"/schedules/{schedule['id']}")  # it would start for all tests to come
