"""The admin as a way of its own, in a real browser: from a new script to its log."""

import re

import pytest
from playwright.sync_api import Page, StorageState, expect

from tests.pages.browser import LIMIT_MS, browser_of
from tests.service import Service, wait_for

CODE = "import time\nprint('hello from the admin', flush=True)\ntime.sleep(600)\n"
TOKEN = re.compile(r"tempo_\w{36}")
pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.usefixtures("chromium")]


def test_from_a_new_script_to_its_log_without_leaving_the_admin(
    service: Service, screen: Page
) -> None:
    create_script(service, screen)
    script = service.get("/scripts")["items"][0]["slug"]
    wait_for(
        lambda: service.get(f"/scripts/{script}")["environment"]["state"] == "ready",
        what="the environment",
    )
    screen.click("#run-script")
    screen.wait_for_url(re.compile("/admin/runs_app/run/"))
    expect(screen.locator("log-view")).to_contain_text("hello from the admin")
    expect(screen.locator("[data-facts] .status")).to_have_text("running")

    screen.goto(f"{service.url}/admin/")
    screen.get_by_role("button", name=re.compile("Cancel run")).click()
    expect(screen.locator(".messages")).to_contain_text("Cancelling Run")
    expect(screen.locator("[aria-labelledby=active-heading]")).to_contain_text(
        "Nothing is running.", timeout=LIMIT_MS
    )


def test_a_key_is_shown_once_with_a_button_that_copies_it(service: Service, screen: Page) -> None:
    screen.goto(f"{service.url}/admin/tempo_site/apikey/add/")
    screen.fill("[name=name]", "home assistant")
    screen.check("[name=scope][value=run]")
    screen.click("[name=_save]")
    assert TOKEN.fullmatch(screen.input_value("#token"))
    screen.locator("[data-copy]").first.click()
    expect(screen.locator("[data-said]").first).to_have_text(re.compile("Copied|Selected"))


def create_script(service: Service, screen: Page) -> None:
    """Create one with two schedules; the first try is refused, which must lose nothing of what was typed."""
    screen.goto(f"{service.url}/admin/scripts_app/script/")
    screen.click("text=Make the first one")
    screen.fill("[name=name]", 'Backup "><img src=x onerror=alert(1)>')
    screen.fill("[name=folder]", "Ops/Nightly")
    type_code(screen, CODE)
    fill_schedule(screen, 0, cron="0 2 * * *")
    screen.get_by_role("button", name="Add another schedule", exact=True).click()
    fill_schedule(screen, 1, cron="0 24 * * *")
    screen.click("[name=_save]")

    expect(screen.locator(".errornote")).to_be_visible()  # nothing is saved, nothing typed is lost
    expect(screen.locator("#schedules-1 .errorlist")).to_contain_text("24")
    expect(screen.locator("[name=code]")).to_have_value(re.compile("hello from the admin"))
    expect(screen.locator("[name=schedules-0-cron]")).to_have_value("0 2 * * *")
    screen.fill("[name=schedules-1-cron]", "0 3 * * *")
    screen.click("[name=_save]")
    expect(screen.locator("h1")).to_contain_text("<img src=x")
    expect(screen.locator(".inline-related.has_original")).to_have_count(2)


def type_code(screen: Page, code: str) -> None:
    """Put text into the plain textarea that the editor stands on."""
    screen.wait_for_selector("code-editor.is-rich")
    screen.click("[data-switch]")
    screen.fill("[name=code]", code)


def fill_schedule(screen: Page, number: int, *, cron: str) -> None:
    """Fill one of the rows of schedules."""
    screen.select_option(f"[name=schedules-{number}-kind]", "cron")
    screen.fill(f"[name=schedules-{number}-cron]", cron)


def test_the_admin_works_without_javascript(service: Service, session: StorageState) -> None:
    with browser_of(java_script_enabled=False, storage_state=session) as page:
        page.goto(f"{service.url}/admin/scripts_app/script/add/")
        page.fill("[name=name]", "Plain")
        page.fill("[name=code]", "print('plain')")
        fill_schedule(page, 0, cron="0 2 * * *")
        page.click("[name=_save]")
        page.click("noscript a")
        page.select_option("[name=kind]", "startup")
        page.click("[name=_save]")
        schedules = service.get("/scripts/plain/schedules")["items"]
        assert [row["kind"] for row in schedules] == ["cron", "startup"]
        wait_for(
            lambda: service.get("/scripts/plain")["environment"]["state"] == "ready",
            what="the environment",
        )
        page.goto(f"{service.url}/admin/scripts_app/script/")
        page.get_by_role("row", name="Plain").get_by_role("checkbox").check()
        page.select_option("[name=action]", "run_selected")
        page.click("[name=index]")
        expect(page.locator(".messages")).to_contain_text("1 started: Plain")
        run = service.get("/runs?script=plain")["items"][0]["id"]
        service.finished(run)
        page.goto(f"{service.url}/admin/runs_app/run/{run}/change/")
        expect(page.locator("log-view")).to_contain_text("plain")
