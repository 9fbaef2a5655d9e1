"""The Code tab in a real browser, on a real Tempo: drafts, versions, runs, conflicts, packages."""

import re

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Response, Route, StorageState, expect

from tests.pages.browser import LIMIT_MS, Look, browser_of
from tests.service import Service, wait_for

SAVED = re.compile(r"^Saved \d\d:\d\d:\d\d UTC$")
START = "print('one')\n"
MAX_BYTES = 250 * 1024

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("chromium")]


def open_script(page: Page, service: Service, slug: str) -> Locator:
    """Go to a script's text and wait for the editor; returns where it says what is saved."""
    page.goto(f"{service.url}/scripts/{slug}/edit/")
    page.wait_for_selector("code-editor.is-rich")
    return page.locator("[data-saved]")


def write(page: Page, text: str) -> None:
    """Put a text in the place of the one in the editor, as a paste does."""
    page.locator(".ace_text-input").focus()  # what a click selects may come behind the next key
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


def code(page: Page) -> str:
    """What the editor holds."""
    return str(page.evaluate("document.querySelector('code-editor').value"))


def presses_run_in_vain(page: Page) -> bool:
    page.keyboard.press("Control+Enter")
    said = page.locator("console-drawer").inner_text()
    return "It is still running: cancel it first." in said


def version(service: Service, slug: str) -> int:
    """The number of a script's current version."""
    return int(service.get(f"/scripts/{slug}")["version"])


def second_page(context: BrowserContext) -> Page:
    """Another tab of the same browser."""
    page = context.new_page()
    page.set_default_timeout(LIMIT_MS)
    return page


def test_what_is_typed_is_saved_made_a_version_and_run_without_leaving_the_page(
    service: Service, screen: Page
) -> None:
    slug = service.make_script("Editing", START)
    saved = open_script(screen, service, slug)
    write(screen, "import os\nprint('two'\n")
    expect(saved).to_have_text(SAVED)
    problems = screen.locator("[data-problems] .problem")
    # a syntax error hides the rest
    expect(problems.filter(has_text="os imported but unused")).to_have_count(0)
    expect(problems.first).to_contain_text(re.compile("error, "))
    write(screen, "import os\nprint('two')\n")
    expect(problems).to_have_count(1)
    expect(problems).to_contain_text("os imported but unused")
    expect(screen.locator(".ace_gutter-cell.ace_warning")).to_have_text("1")
    assert (version(service, slug), service.get(f"/scripts/{slug}")["code"]) == (1, START)

    screen.reload()
    screen.wait_for_selector("code-editor.is-rich")
    assert code(screen) == "import os\nprint('two')\n"
    expect(screen.locator("[data-version-name]")).to_have_text("v1 + draft")
    problems.click()
    expect(screen.locator("[data-cursor]")).to_have_text("Ln 1 Col 8")


def test_a_problem_is_put_right_by_its_button_and_can_be_undone(
    service: Service, screen: Page
) -> None:
    slug = service.make_script("Fixing", "x = '𝒳'; print(f'one')\nimport os\n")
    open_script(screen, service, slug)
    problems = screen.locator("[data-problems] .problem")
    expect(problems).to_have_count(2)
    screen.get_by_role("button", name="Fix", exact=True).first.click()
    expect(problems).to_have_count(1)
    assert code(screen) == "x = '𝒳'; print('one')\nimport os\n"
    screen.get_by_role("button", name="Plain text").click()
    screen.get_by_role("button", name="Fix", exact=True).click()
    expect(screen.locator("[data-problems] [data-none]")).to_be_visible()
    assert code(screen) == "x = '𝒳'; print('one')\n"


def test_code_is_formatted_found_and_gone_to_and_a_missing_package_is_added(
    service: Service, screen: Page
) -> None:
    slug = service.make_script("Tools", START)
    saved = open_script(screen, service, slug)
    text = "import yaml\n\n\nx=[1,\n  2]\nprint( yaml,x )"
    write(screen, text)
    for key in ("ArrowUp", "ArrowUp", "Home"):
        screen.keyboard.press(key)
    screen.get_by_role("button", name="Format").click()
    expect(saved).to_have_text("Formatted")
    assert code(screen) == "import yaml\n\n\nx = [1, 2]\nprint(yaml, x)\n"
    expect(screen.locator("[data-cursor]")).to_have_text("Ln 4 Col 1")
    screen.keyboard.press("Control+z")
    assert code(screen) == text
    write(screen, "import yaml\nprint(yaml")
    screen.get_by_role("button", name="Format").click()
    expect(saved).to_have_text("Not formatted: Python cannot read this text")

    screen.keyboard.press("Control+g")
    screen.keyboard.type("2")
    screen.keyboard.press("Enter")
    expect(screen.locator("[data-cursor]")).to_have_text("Ln 2 Col 1")
    screen.get_by_role("button", name="Find", exact=True).click()
    screen.locator(".ace_search_field").first.fill("yaml")
    expect(screen.locator(".ace_search_counter")).to_have_text("2 of 2")
    is_cut = "box => box.scrollWidth > box.clientWidth"
    assert not screen.locator(".ace_search_form").evaluate(is_cut)
    screen.keyboard.press("Escape")

    write(screen, "import yaml\nprint(yaml)\n")
    screen.get_by_role("button", name="Add pyyaml").click()
    expect(screen.locator("#id_requirements")).to_have_value("pyyaml")
    expect(screen.locator("[data-problems] [data-none]")).to_be_visible()


def test_a_second_file_is_edited_beside_the_script_and_never_written_over(
    service: Service, screen: Page
) -> None:
    slug = service.make_script("Files", START)
    elsewhere = {"timezoneId": "Asia/Tokyo"}  # times are told by Tempo's clock, not the reader's
    screen.context.new_cdp_session(screen).send("Emulation.setTimezoneOverride", elsewhere)
    screen.goto(f"{service.url}/scripts/{slug}/files/edit/?path=tools.py&new=1")
    screen.wait_for_selector("code-editor.is-rich")
    write(screen, "x=1\n")
    screen.get_by_role("button", name="Format").click()
    expect(screen.locator("[data-saved]")).to_have_text("Formatted")
    screen.keyboard.press("Control+s")
    expect(screen.locator("[data-saved]")).to_have_text(SAVED)
    assert service.get(f"/scripts/{slug}/files/tools.py") == "x = 1\n"
    file = service.data / "scripts" / slug / "files" / "tools.py"
    file.write_text("theirs = 1\n")
    write(screen, "mine = 1\n")
    screen.get_by_role("button", name="Save file").click()
    expect(screen.get_by_role("alert")).to_contain_text("was changed in the meantime")
    expect(screen.locator("[data-trouble] pre")).to_have_text("theirs = 1")
    assert file.read_text() == "theirs = 1\n"
    screen.get_by_role("button", name="Save file").click()
    expect(screen.locator("[data-saved]")).to_have_text(SAVED)
    assert file.read_text() == "mine = 1\n"
    screen.get_by_role("link", name="main.py").click()
    expect(screen.get_by_role("link", name="tools.py")).to_be_visible()


def test_run_asks_once_about_what_may_harm(service: Service, screen: Page) -> None:
    slug = service.make_script("Doubtful", START)
    open_script(screen, service, slug)
    write(screen, "print(eval('1 + 1'))\n")
    screen.keyboard.press("Control+Enter")
    question = screen.locator("[data-doubts]")
    expect(question).to_contain_text("Line 1: Use of possibly insecure function")
    assert service.get(f"/runs?script={slug}")["items"] == []
    screen.keyboard.press("Enter")  # the button has the focus
    drawer = screen.locator("console-drawer")
    expect(drawer.locator(".row")).to_contain_text("2")
    expect(drawer.locator("[data-status]")).to_have_text("succeeded")
    expect(question).to_be_hidden()

    write(screen, "print(eval('2 + 2'))\nraise SystemExit('no room')\n")
    screen.keyboard.press("Control+Enter")
    expect(drawer.locator(".row").first).to_contain_text("4")
    expect(drawer).to_contain_text("no room, after ")
    write(screen, "print(\n")
    screen.keyboard.press("Control+Enter")
    expect(screen.locator("[data-alert]")).to_contain_text("line 1: '(' was never closed")
    expect(screen.locator("[data-unreadable]")).to_contain_text("'(' was never closed")
    write(screen, START)
    screen.keyboard.press("Control+s")
    expect(screen.locator("[data-unreadable]")).to_be_hidden()


def test_ctrl_s_makes_a_version_and_ctrl_enter_shows_its_output(
    service: Service, screen: Page
) -> None:
    slug = service.make_script("Versions", START)
    saved = open_script(screen, service, slug)
    write(screen, "print('two')\n")
    screen.keyboard.press("Control+s")
    expect(saved).to_have_text("Saved as v2")
    screen.keyboard.press("Control+s")
    expect(saved).to_have_text("No changes since v2")
    assert version(service, slug) == 2

    write(screen, "print('three')\n")
    screen.keyboard.press("Control+Enter")
    drawer = screen.locator("console-drawer")
    expect(drawer.locator(".row")).to_contain_text("three")
    expect(drawer.locator("[data-status]")).to_have_text("succeeded")
    expect(drawer).to_contain_text("Exit code 0")
    expect(screen.locator(".last-runs li")).to_have_count(1)
    assert version(service, slug) == 3
    drawer.get_by_role("button", name="Run again").click()
    expect(screen.locator(".last-runs li")).to_have_count(2)
    assert version(service, slug) == 3
    screen.keyboard.press("Tab")
    drawer.get_by_role("button", name="Close the output").click()
    expect(drawer).to_be_hidden()
    expect(screen.locator(".ace_text-input")).to_be_focused()


def test_a_running_script_can_be_cancelled_from_the_drawer(service: Service, screen: Page) -> None:
    slug = service.make_script(
        "Endless", "import time\nprint('begun', flush=True)\ntime.sleep(600)\n"
    )
    open_script(screen, service, slug)
    screen.get_by_role("button", name="Run", exact=True).click()
    drawer = screen.locator("console-drawer")
    expect(drawer.locator(".row")).to_contain_text("begun")
    drawer.get_by_role("button", name="Cancel").click()
    expect(drawer.locator("[data-status]")).to_have_text("cancelled")
    expect(drawer.get_by_role("button", name="Cancel")).to_be_hidden()


def test_whoever_is_second_decides_what_becomes_of_both_texts(
    service: Service, screen: Page
) -> None:
    slug = service.make_script("Shared", START)
    other = second_page(screen.context)
    said = open_script(other, service, slug)
    mine = open_script(screen, service, slug)

    write(other, "print('theirs')\n")
    expect(said).to_have_text(SAVED)
    write(screen, "print('mine')\n")
    banner = screen.locator("draft-conflict")
    expect(banner).to_contain_text("ann saved this script")
    expect(mine).to_have_text("Not saved: somebody else saved first")
    banner.get_by_role("button", name="View the difference").click()
    dialog = screen.locator("dialog")
    expect(dialog.locator(".is-removed")).to_contain_text("print('theirs')")
    expect(dialog.locator(".is-added")).to_contain_text("print('mine')")
    dialog.get_by_role("button", name="Keep mine").click()
    expect(mine).to_have_text(SAVED)
    expect(banner).to_be_hidden()
    assert service.get(f"/scripts/{slug}/draft")["code"] == "print('mine')\n"

    write(other, "print('late')\n")
    other.keyboard.press("Control+s")
    expect(other.locator("draft-conflict")).to_be_visible()
    assert version(service, slug) == 1
    other.locator("draft-conflict > .actions").get_by_role("button", name="Take theirs").click()
    assert code(other) == "print('mine')\n"
    other.keyboard.press("Control+s")
    expect(said).to_have_text("Saved as v2")
    assert service.get(f"/scripts/{slug}")["code"] == "print('mine')\n"


def test_text_survives_a_lost_server_a_crash_and_a_log_out(service: Service, screen: Page) -> None:
    slug = service.make_script("Unlucky", START)
    saved = open_script(screen, service, slug)
    screen.route("**/draft", lambda route: route.abort())
    write(screen, "print('kept')\n")
    expect(saved).to_have_text("Not saved, trying again")
    # the browser asks whether one really wants to leave
    screen.on("dialog", lambda dialog: dialog.accept())
    screen.reload()
    screen.wait_for_selector("code-editor.is-rich")
    assert code(screen) == START
    screen.get_by_role("button", name="Bring it back").click()
    expect(saved).to_have_text("Not saved, trying again")
    screen.unroute("**/draft")
    expect(saved).to_have_text(SAVED)
    assert service.get(f"/scripts/{slug}/draft")["code"] == "print('kept')\n"

    cookies = screen.context.cookies()  # a log-out in another tab, and a log-in
    screen.context.clear_cookies()
    write(screen, "print('still here')\n")
    expect(saved).to_have_text("Not saved: you are logged out.")
    expect(screen.get_by_role("link", name="Log in in another tab")).to_be_visible()
    screen.context.add_cookies(
        [{"name": each["name"], "value": each["value"], "url": service.url} for each in cookies]
    )
    expect(saved).to_have_text(SAVED)
    expect(screen.get_by_role("link", name="Log in in another tab")).to_be_hidden()

    screen.get_by_role("button", name="Discard draft").click()
    expect(screen.locator(".messages")).to_contain_text("The draft is discarded")
    screen.wait_for_selector("code-editor.is-rich")
    assert code(screen) == START
    expect(
        screen.get_by_role("button", name="Bring it back")
    ).to_be_visible()  # even that can be undone


def test_what_one_comes_back_to_is_the_newest_text(service: Service, screen: Page) -> None:
    slug = service.make_script("Back", START)
    saved = open_script(screen, service, slug)
    write(screen, "print('newer')\n")
    expect(saved).to_have_text(SAVED)
    screen.locator(".tabs").get_by_role("link", name="Schedule").click()
    screen.wait_for_url("**/schedule/")
    screen.go_back()
    screen.wait_for_selector("code-editor.is-rich")
    assert code(screen) == "print('newer')\n"
    write(screen, "print('newest')\n")
    expect(saved).to_have_text(SAVED)  # and no conflict with oneself


def test_what_was_undone_is_no_change_and_a_second_start_waits_for_the_first(
    service: Service, screen: Page
) -> None:
    slug = service.make_script(
        "Undone", "import time\nprint('begun', flush=True)\ntime.sleep(600)\n"
    )
    saved = open_script(screen, service, slug)
    screen.locator(".ace_text-input").focus()
    screen.keyboard.type("x")
    expect(saved).to_have_text(
        re.compile("Changed|Saving|Saved [0-9]")
    )  # "Changed" stands a second
    screen.keyboard.press("Backspace")
    expect(saved).to_have_text("Same as v1")
    drawer = screen.locator("console-drawer")
    screen.keyboard.press("Control+Enter")
    expect(drawer.locator(".row")).to_contain_text("begun")
    # A press is passed over until the page has heard all of the first one.
    wait_for(lambda: presses_run_in_vain(screen), what="the word that it runs")
    drawer.get_by_role("button", name="Cancel").focus()
    screen.keyboard.press("Enter")
    expect(drawer.get_by_role("button", name="Run again")).to_be_focused()
    assert len(service.get(f"/runs?script={slug}")["items"]) == 1


def test_text_that_only_one_tab_has_is_not_lost_by_another_one(
    service: Service, screen: Page
) -> None:
    slug = service.make_script("Precious", START)
    lost = second_page(screen.context)
    saved = open_script(lost, service, slug)
    lost.evaluate("() => { window.fetch = () => Promise.reject(new TypeError('no network')) }")
    write(lost, "print('precious')\n")
    expect(saved).to_have_text("Not saved, trying again")
    lost.close()
    screen.goto(service.url)
    screen.evaluate(  # as if it had been left half a minute ago
        "for (const [name, text] of Object.entries(localStorage)) if (name.startsWith('tempo.draft.'))"
        ' localStorage.setItem(name, text.replace(/"at":\\d+/, `"at":${Date.now() - 30000}`))'
    )
    saved = open_script(screen, service, slug)
    offer = screen.locator("[data-recovery]")
    expect(offer).to_contain_text("This browser keeps a text from")
    write(screen, "print('going on')\n")
    expect(saved).to_have_text(SAVED)
    screen.reload()
    screen.wait_for_selector("code-editor.is-rich")
    expect(offer).to_be_visible()  # typing on has not thrown it away
    screen.get_by_role("button", name="Bring it back").click()
    assert code(screen) == "print('precious')\n"
    expect(saved).to_have_text(SAVED)
    screen.reload()
    screen.wait_for_selector("code-editor.is-rich")
    expect(offer).to_be_hidden()


def test_tab_indents_again_for_who_has_come_back(service: Service, screen: Page) -> None:
    slug = service.make_script("Tabs", START)
    open_script(screen, service, slug)
    screen.click(".ace_content")
    screen.keyboard.press("Escape")
    screen.keyboard.press("Tab")
    screen.locator(".ace_text-input").focus()
    screen.keyboard.press("Control+Home")
    screen.keyboard.press("Tab")
    expect(screen.locator(".ace_text-input")).to_be_focused()
    assert code(screen) == f"    {START}"
    screen.keyboard.press("Control+f")
    expect(screen.locator(".ace_search")).to_be_visible()
    screen.keyboard.press("Escape")
    expect(screen.locator(".ace_search")).to_be_hidden()
    screen.keyboard.press("Tab")
    assert code(screen).startswith("        ")


def test_packages_are_rows_and_text_at_once_and_their_environment_is_watched(
    service: Service, screen: Page
) -> None:
    slug = service.make_script("Packages", "import tempo_greeting\nprint(tempo_greeting.hello())\n")
    saved = open_script(screen, service, slug)
    text, rows = screen.locator("#id_requirements"), screen.locator(".package")
    screen.get_by_label("Package to add").fill("tempo-greeting")
    screen.get_by_label("Version range").first.fill("1.0")
    screen.get_by_role("button", name="Add").click()
    expect(text).to_have_value("tempo-greeting==1.0")
    screen.get_by_label("Version range of tempo-greeting").fill(">=1.0,<1.1")
    expect(text).to_have_value("tempo-greeting>=1.0,<1.1")
    expect(saved).to_have_text(SAVED)

    screen.locator("summary", has_text="As text").click()
    text.fill(
        "# why\ntempo-greeting>=1.0,<1.1\nTempo_Other [x] ~=2.0 ; python_version > '3'  # later\n-r more.txt\n"
    )
    expect(rows).to_have_count(4)
    expect(rows.nth(3)).to_contain_text("-r more.txt")
    expect(screen.locator("[data-problems] .problem")).to_contain_text("requirements 4:1")
    screen.get_by_label("Version range of Tempo_Other").fill("nonsense here")
    expect(screen.get_by_label("Version range of Tempo_Other")).to_have_attribute(
        "aria-invalid", "true"
    )
    screen.get_by_label("Version range of Tempo_Other").fill("")
    expect(text).to_have_value(
        "# why\ntempo-greeting>=1.0,<1.1\nTempo_Other [x] ; python_version > '3'  # later\n-r more.txt\n"
    )
    screen.keyboard.press("Control+s")
    expect(screen.locator("[data-error=requirements]")).to_contain_text(
        "line 4: -r more.txt is not allowed here"
    )
    text.fill("# why\ntempo-greeting>=1.0,<1.1\nTempo_Other\n")
    screen.get_by_role("button", name="Remove Tempo_Other").click()
    expect(text).to_have_value("# why\ntempo-greeting>=1.0,<1.1\n")


def test_a_run_waits_for_its_packages_and_says_when_they_do_not_come(
    service: Service, screen: Page
) -> None:
    slug = service.make_script("Waiting", "import tempo_greeting\nprint('imported')\n")
    open_script(screen, service, slug)
    screen.locator("summary", has_text="As text").click()
    text, rows = screen.locator("#id_requirements"), screen.locator("console-drawer .row")
    text.fill("tempo-greeting>=1.0,<1.1\n")
    screen.keyboard.press("Control+Enter")
    expect(screen.locator("console-drawer [data-say]")).to_have_text(
        "Waits until its environment is built."
    )
    expect(rows).to_contain_text("imported", timeout=LIMIT_MS)
    expect(screen.locator("console-drawer [data-status]")).to_have_text("succeeded")

    text.fill("tempo-greeting>=9\n")
    screen.keyboard.press("Control+Enter")
    expect(screen.locator("[data-alert]")).to_contain_text(
        "Not run: the environment of v3 was not built.", timeout=LIMIT_MS
    )
    expect(screen.locator("#environment-title + .status")).to_have_text("failed", timeout=LIMIT_MS)
    expect(screen.locator(".is-message")).to_contain_text("tempo-greeting")
    expect(screen.locator("[data-build-log] .row").last).to_contain_text("Not built")
    expect(screen.get_by_role("button", name="Build again")).to_be_visible()


def test_hostile_text_is_text_and_the_keyboard_can_leave(service: Service, screen: Page) -> None:
    hostile = "</textarea><script>alert(1)</script>\u202e{{7*7}}<img src=x onerror=alert(1)>"
    slug = service.make_script("Hostile", f"#{hostile}\n{'x' * 10_000}\n", requirements="")
    open_script(screen, service, slug)
    assert code(screen) == f"#{hostile}\n{'x' * 10_000}\n"
    assert screen.evaluate("document.documentElement.scrollWidth <= screen.width")
    screen.click(".ace_content")
    screen.keyboard.press("Escape")
    screen.keyboard.press("Tab")
    expect(screen.locator(".ace_text-input")).not_to_be_focused()
    screen.get_by_role("button", name="Plain text").click()
    expect(screen.locator("#id_code")).to_be_focused()
    screen.reload()
    expect(screen.get_by_role("button", name="Code editor")).to_be_visible()
    screen.fill("#id_code", "print('plain')\n")
    screen.keyboard.press("Control+Enter")
    expect(screen.locator("console-drawer .row")).to_contain_text("plain")
    screen.get_by_role("button", name="Code editor").click()
    screen.wait_for_selector("code-editor.is-rich")
    assert code(screen) == "print('plain')\n"


def test_plain_text_is_kept_by_who_asks_for_it_before_the_editor_is_there(
    service: Service, screen: Page
) -> None:
    slug = service.post("/scripts", {"name": "Early", "code": START})["slug"]
    waiting: list[Route] = []
    screen.route(re.compile(r"/ace[.\w]*\.js"), lambda route: waiting.append(route))
    screen.goto(f"{service.url}/scripts/{slug}/edit/", wait_until="domcontentloaded")
    screen.get_by_role("button", name="Plain text").click()
    expect(screen.get_by_role("button", name="Code editor")).to_be_visible()
    with screen.expect_response(re.compile(r"/ace[.\w]*\.js")):
        waiting.pop().continue_()
    screen.fill("#id_code", "print('early')\n")
    screen.get_by_role("button", name="Code editor").click()
    screen.wait_for_selector("code-editor.is-rich")
    assert code(screen) == "print('early')\n"


def test_without_javascript_the_same_form_saves_runs_and_tells_of_a_conflict(
    service: Service,
    session: StorageState,
) -> None:
    slug = service.make_script("Plain", START)
    with browser_of(Look.PHONE, java_script_enabled=False, storage_state=session) as page:
        page.goto(f"{service.url}/scripts/{slug}/edit/")
        page.fill("#id_code", "print('draft')\n")
        page.get_by_role("button", name="Save as a draft").click()
        expect(page.locator("#id_code")).to_have_value("print('draft')\n")
        assert version(service, slug) == 1
        service.call("PATCH", f"/scripts/{slug}", {"code": "print('theirs')\n"})
        page.fill("#id_code", "print('mine')\n")
        page.get_by_role("button", name="Save version").click()
        expect(page.get_by_role("alert").first).to_contain_text("while you were editing")
        expect(page.locator("#id_code")).to_have_value("print('mine')\n")
        page.get_by_role("button", name="Save version").click()
        expect(page.locator(".messages")).to_contain_text("Saved as v")
        page.fill("#id_requirements", "-e .")
        page.get_by_role("button", name="Run", exact=True).click()
        expect(page.locator("[data-error=requirements]")).to_contain_text("-e .")
        page.fill("#id_requirements", "")
        page.get_by_role("button", name="Run", exact=True).click()
        expect(page).to_have_url(re.compile(r"/runs/\d+/$"))


def test_the_page_with_its_editor_stays_light(service: Service, session: StorageState) -> None:
    slug = service.make_script("Light", START)
    with browser_of(storage_state=session) as page:
        answers: list[Response] = []
        page.context.new_cdp_session(page).send("Network.clearBrowserCache")
        page.on("response", lambda answer: answers.append(answer))
        open_script(page, service, slug)
        page.wait_for_load_state("networkidle")
        weights = {each.url: each.request.sizes()["responseBodySize"] for each in answers}
    assert any("ace" in url for url in weights)
    assert sum(weights.values()) <= MAX_BYTES, weights
