"""The console in a real browser: long logs, hostile ones, addresses of lines, search, keys."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, StorageState, expect

from tests.pages.browser import Look, browser_of
from tests.pages.test_run_page import MAX_ROWS
from tests.service import Service, wait_for

EPOCH_MS = 1_790_000_000_000
NEEDLE = "\x1b[31mnee\x1b[0mdle"
HOSTILE = [
    "<script>document.title='owned'</script><img src=x onerror=alert(1)>",
    "{{7*7}} \x1b]0;title\x07\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\",
    "\x1b[2J\x1b[1;1H\x1b[?25l\x1b[10Amoved",
    "\u202egnp.exe\u202c \u05e9\u05dc\u05d5\u05dd",
    "x" * 10_000,
    "\x1b[1;31mred\x1b[0m \x1b[48;5;21;38;2;250;10;10mon blue\x1b[m plain",
    "10%\r50%\r100%",
]

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("chromium")]


def finished_run(service: Service, write: Callable[[int], str], count: int) -> int:
    """A run whose log holds `count` lines; number `n` of them, from 1 on, says `write(n)`."""
    run = int(service.run(service.make_script("Writer", "pass\n"))["id"])
    (folder,) = (service.data / "runs").glob(f"*/{run}-*")
    with (folder / "output.log").open("w", newline="") as log:
        log.writelines(
            f"{EPOCH_MS + number} O F {write(number)}\n" for number in range(1, count + 1)
        )
    return run


# What the page makes of records as they come live: the text of each line.
SHOW = """async (records) => {
  const [{ Cursors }, { write }, { plain }] = await Promise.all(
    ["cursors", "terminal", "ansi"].map((name) => import(`/static/js/lib/${name}.js`)));
  const cursors = new Cursors(), lines = [];
  for (const [stream, text, isFull] of records)
    for (const piece of cursors.follow(stream, text, isFull))
      write((lines[piece.number - 1] ??= { x: "", back: 0 }), piece.text);
  return lines.map(({ x }) => plain(x));
}"""
CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "terminal.json").read_text()
)["cases"]
# Three bars, written anew from below again and again, as docker and rich do; then a line of its own.
BARS = """
import pathlib, sys, time
gate = pathlib.Path("gate")
print("a 0%\\nb 0%\\nc 0%", flush=True)
for part in range(1, 51):
    sys.stdout.write("\\x1b[3A")
    for bar in "abc":
        sys.stdout.write(f"\\x1b[2K\\x1b[1G{bar} {2 * part}%\\n")
    sys.stdout.flush()
    if part == 25:
        while not gate.exists():
            time.sleep(0.01)
print("end")
"""


def row(screen: Page, number: int) -> str:
    """The text of a line, once it is shown."""
    return screen.locator(f'.row[data-n="{number}"] .row-x').inner_text()


def in_view(screen: Page, number: int) -> None:
    """Wait until a line stands within the console's viewport."""
    expect(screen.locator(f'.row[data-n="{number}"]')).to_be_in_viewport()


@pytest.mark.parametrize("count", [100_000, 1_000_000])
def test_a_long_log_in_colours_is_light_to_walk_through(
    service: Service, screen: Page, count: int
) -> None:
    run = finished_run(
        service, lambda number: f"\x1b[32mINFO\x1b[0m line \x1b[1m{number:07d}\x1b[0m", count
    )
    screen.goto(f"{service.url}/runs/{run}/")
    in_view(screen, count)
    console = screen.locator("[data-console]")
    console.focus()
    screen.keyboard.press("Home")
    in_view(screen, 1)
    screen.keyboard.press("PageDown")
    expect(screen.locator('.row[data-n="1"]')).not_to_be_in_viewport()
    screen.keyboard.press("End")
    in_view(screen, count)
    before = int(screen.locator(".row").first.get_attribute("data-n") or 0)
    for part in (0.25, 0.5, 0.75):
        console.evaluate(
            f"view => view.scrollTop = (view.scrollHeight - view.clientHeight) * {part}"
        )
        shown = screen.locator(".row").first
        expect(shown).not_to_have_attribute("data-n", re.compile(rf"^({before})$"))
        before = int(shown.get_attribute("data-n") or 0)
        assert abs(before / count - part) < 0.02
        assert row(screen, before) == f"INFO line {before:07d}"
    assert screen.locator("[data-console] .row").count() < MAX_ROWS
    expect(screen.locator("[data-console] .fg-2").first).to_have_text("INFO")


def test_a_line_has_an_address_and_a_stretch_of_lines_too(service: Service, screen: Page) -> None:
    run = finished_run(service, lambda number: f"line {number}", 5000)
    screen.goto(f"{service.url}/runs/{run}/#L1234")
    in_view(screen, 1234)
    expect(screen.locator(".is-marked")).to_have_count(1)
    screen.locator('.row-n[data-n="1237"]').click(modifiers=["Shift"])
    expect(screen).to_have_url(re.compile("#L1234-L1237$"))
    expect(screen.locator(".is-marked")).to_have_count(4)
    screen.locator('.row-n[data-n="1235"]').click()
    expect(screen).to_have_url(re.compile("#L1235$"))
    expect(screen.locator(".is-marked")).to_have_text(["line 1235"])
    screen.go_back()
    expect(screen.locator(".is-marked")).to_have_count(4)


def test_search_leads_from_match_to_match_by_keys(service: Service, screen: Page) -> None:
    run = finished_run(service, lambda n: f"line {n} {NEEDLE if n % 2000 == 0 else ''}", 10_000)
    screen.goto(f"{service.url}/runs/{run}/#L1500")
    in_view(screen, 1500)
    screen.keyboard.press("/")
    expect(screen.locator("[data-find]")).to_be_focused()
    screen.keyboard.type("NEEDLE")
    expect(screen.locator("[data-found]")).to_have_text("1 of 5")
    in_view(screen, 2000)
    assert "".join(screen.locator('.row[data-n="2000"] mark').all_text_contents()) == "needle"
    screen.keyboard.press("Enter")
    in_view(screen, 4000)
    screen.locator("[data-console]").focus()
    screen.keyboard.press("n")
    in_view(screen, 6000)
    screen.keyboard.press("N")
    screen.keyboard.press("N")
    in_view(screen, 2000)
    screen.keyboard.press("N")
    expect(screen.locator("[data-found]")).to_have_text("5 of 5")
    screen.keyboard.press("/")
    screen.keyboard.type("nowhere")
    expect(screen.locator("[data-found]")).to_have_text("No match")
    screen.keyboard.press("Escape")
    expect(screen.locator("[data-found]")).to_be_empty()
    expect(screen.locator("mark")).to_have_count(0)


def test_search_goes_on_where_the_reader_is_however_many_matches_there_are(
    service: Service, screen: Page
) -> None:
    run = finished_run(service, lambda n: f"line {n}", 40_000)
    screen.goto(f"{service.url}/runs/{run}/#L39995")
    in_view(screen, 39_995)
    first = int(screen.evaluate("document.querySelector('log-view').rows.firstInView()"))
    screen.fill("[data-find]", "line")
    current = screen.locator(".row.is-current")
    expect(current).to_have_attribute("data-n", str(first))
    expect(screen.locator("[data-found]")).to_contain_text("+ matches")
    screen.locator("[data-console]").focus()
    screen.keyboard.press("N")
    expect(current).to_have_attribute("data-n", str(first - 1))
    for number in range(first, 40_001):
        screen.keyboard.press("n")
        expect(current).to_have_attribute("data-n", str(number))
    screen.keyboard.press("n")
    expect(current).to_have_attribute("data-n", "1")  # round
    screen.keyboard.press("N")
    expect(current).to_have_attribute("data-n", "40000")


def lines_shown(screen: Page) -> int:
    """How many lines the console knows of. Asked from here: the page's policy forbids what waits in it."""
    found: int = screen.evaluate("document.querySelector('log-view')?.lines?.total ?? 0")
    return found


def test_the_next_match_of_a_live_log_is_a_later_one(service: Service, screen: Page) -> None:
    code = "import itertools, time\nfor n in itertools.count():\n"
    code += "  print('needle' if n % 7 == 0 else n)\n  time.sleep(0.005)\n"
    run = service.post(f"/scripts/{service.make_script('Endless', code)}/runs")["id"]
    screen.goto(f"{service.url}/runs/{run}/")
    wait_for(lambda: lines_shown(screen) > 30, what="the first lines")
    screen.fill("[data-find]", "needle")
    current, passed = screen.locator(".row.is-current"), [0]
    for _ in range(8):
        expect(current).not_to_have_attribute("data-n", str(passed[-1]))
        passed.append(int(current.get_attribute("data-n") or 0))
        beyond = passed[-1] + 14
        wait_for(lambda beyond=beyond: lines_shown(screen) > beyond, what="further lines")  # type: ignore[misc]
        screen.locator("[data-tool=next]").click()
    assert passed == sorted(passed)
    service.post(f"/runs/{run}/cancel")


def test_what_is_copied_is_what_is_shown(service: Service, screen: Page) -> None:
    run = finished_run(
        service, lambda n: ["\x1b[32mok\x1b[0m", "10%\r50%\r100%", "", "end"][n - 1], 4
    )
    screen.context.grant_permissions(["clipboard-read", "clipboard-write"])
    screen.goto(f"{service.url}/runs/{run}/")
    screen.get_by_role("button", name="Copy all").click()
    expect(screen.locator("[data-copied]")).to_have_text("Copied")
    assert screen.evaluate("navigator.clipboard.readText()") == "ok\n100%\n\nend\n"
    screen.evaluate("getSelection().selectAllChildren(document.querySelector('.rows-body'))")
    assert screen.evaluate("getSelection().toString().split('\\n').map((line) => line.trim())")[
        :4
    ] == [
        "ok",
        "100%",
        "",
        "end",
    ]


def test_a_log_that_was_deleted_meanwhile_is_said_to_be_gone(
    service: Service, screen: Page
) -> None:
    run = finished_run(service, lambda n: f"line {n}", 20_000)
    screen.goto(f"{service.url}/runs/{run}/")
    in_view(screen, 20_000)
    (log,) = (service.data / "runs").glob(f"*/{run}-*/output.log")
    log.unlink()
    screen.locator("[data-console]").focus()
    screen.keyboard.press("Home")
    expect(screen.locator("[data-state]")).to_have_text("Its output is not there any more.")
    expect(screen.locator(".row")).to_have_count(0)


def test_hostile_output_is_shown_as_text(service: Service, screen: Page) -> None:
    run = finished_run(service, lambda number: HOSTILE[number - 1], len(HOSTILE))
    screen.goto(f"{service.url}/runs/{run}/")
    console = screen.locator("[data-console]")
    expect(console.locator(".row")).to_have_count(len(HOSTILE))
    assert row(screen, 1) == HOSTILE[0]
    assert row(screen, 2) == "{{7*7}} link"
    assert row(screen, 3) == "moved"
    assert row(screen, 4) == HOSTILE[3]
    assert row(screen, 6) == "red on blue plain"
    assert row(screen, 7) == "100%"
    expect(screen.locator('.row[data-n="6"] .fg-1.a-bold')).to_have_text("red")
    expect(screen.locator('.row[data-n="6"] .bg-4.fg-9')).to_have_text("on blue")
    screen.locator(".row-more").click()
    expect(screen.locator('.row[data-n="5"] .row-x')).to_have_text("x" * 10_000)
    assert console.locator("script, img, a:not(.row-n)").count() == 0
    assert "owned" not in screen.title()
    assert screen.evaluate("document.documentElement.scrollWidth <= screen.width")


def test_tools_answer_to_keys_and_are_remembered(service: Service, screen: Page) -> None:
    run = finished_run(service, lambda number: f"{number} " + "wide " * 100, 300)
    screen.goto(f"{service.url}/runs/{run}/")
    console = screen.locator("[data-console]")
    is_wide = "view => view.scrollWidth > view.clientWidth"
    in_view(screen, 300)
    assert console.evaluate(is_wide)
    screen.keyboard.press("w")
    expect(screen.get_by_role("button", name="Wrap")).to_have_attribute("aria-pressed", "true")
    in_view(screen, 300)
    assert not console.evaluate(is_wide)
    screen.keyboard.press("Shift+T")
    expect(screen.locator('.row[data-n="300"] .row-t')).to_have_attribute(
        "data-t", re.compile(r"^\d\d:\d\d:\d\d\.300$")
    )
    screen.keyboard.press("f")
    expect(screen.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "false")
    screen.reload()
    expect(screen.get_by_role("button", name="Wrap")).to_have_attribute("aria-pressed", "true")
    screen.keyboard.press("Shift+T")
    expect(screen.locator('.row[data-n="300"] .row-t')).to_have_attribute(
        "data-t", re.compile(r"^[+-]")
    )
    screen.keyboard.press("Shift+F")
    expect(screen.locator("log-view:fullscreen, log-view.is-full")).to_have_count(1)
    screen.keyboard.press("Shift+F")
    expect(screen.locator("log-view:fullscreen, log-view.is-full")).to_have_count(0)
    in_view(screen, 300)


def test_who_has_scrolled_up_stays_there_and_is_told_of_new_lines(
    service: Service, screen: Page
) -> None:
    code = (
        "import pathlib, time\nfor n in range(200): print('old', n)\ngate = pathlib.Path('gate')\n"
    )
    code += "while not gate.exists(): time.sleep(0.01)\nfor n in range(7): print('fresh', n)\n"
    slug = service.make_script("Gated", code)
    run = service.post(f"/scripts/{slug}/runs")["id"]
    screen.goto(f"{service.url}/runs/{run}/")
    in_view(screen, 200)
    screen.locator("[data-console]").hover()
    screen.mouse.wheel(0, -800)
    expect(screen.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "false")
    (service.data / "scripts" / slug / "files" / "gate").touch()
    expect(screen.locator("[data-new]")).to_have_text("↓ 7 new lines")
    expect(screen.locator('.row[data-n="207"]')).not_to_be_in_viewport()
    screen.locator("[data-new]").click()
    in_view(screen, 207)
    expect(screen.locator("[data-new]")).to_be_hidden()


def test_a_progress_bar_is_one_line_that_changes(service: Service, screen: Page) -> None:
    code = "import pathlib, sys, time\ngate = pathlib.Path('gate')\nsys.stdout.write('10%\\r')\nsys.stdout.flush()\n"
    code += "while not gate.exists(): time.sleep(0.01)\nsys.stdout.write('20%\\r')\nprint('done')\n"
    slug = service.make_script("Bar", code)
    run = service.post(f"/scripts/{slug}/runs")["id"]
    screen.goto(f"{service.url}/runs/{run}/")
    expect(screen.locator(".row-x")).to_have_text(["10%"])
    screen.reload()
    expect(screen.locator(".row-x")).to_have_text(["10%"])
    (service.data / "scripts" / slug / "files" / "gate").touch()
    expect(screen.locator(".row-x")).to_have_text(["done"])


def test_a_phone_wraps_and_has_no_sideways_scroll(service: Service, session: StorageState) -> None:
    run = finished_run(service, lambda number: f"{number} " + "wide" * 100, 300)
    with browser_of(Look.PHONE, storage_state=session) as phone:
        phone.goto(f"{service.url}/runs/{run}/#L200")
        in_view(phone, 200)
        assert phone.evaluate("document.documentElement.scrollWidth <= screen.width")
        assert phone.locator("[data-console]").evaluate(
            "view => view.scrollWidth <= view.clientWidth"
        )
        small = [
            box
            for box in (
                tool.bounding_box() for tool in phone.locator(".console-tools :is(button, a)").all()
            )
            if box and (box["height"] < 24 or box["width"] < 24)
        ]
        assert small == []


def test_without_javascript_the_end_of_the_output_is_there_with_its_numbers(
    service: Service,
    session: StorageState,
) -> None:
    run = finished_run(service, lambda number: f"\x1b[31mline {number}\x1b[0m", 500)
    with browser_of(java_script_enabled=False, storage_state=session) as page:
        page.goto(f"{service.url}/runs/{run}/")
        expect(page.locator(".row-x").last).to_have_text("line 500")
        expect(page.locator(".row-gap")).to_be_visible()
        expect(page.get_by_role("link", name="Raw")).to_be_visible()
        expect(page.get_by_role("button", name="Follow")).to_be_hidden()


def test_live_output_is_shown_as_the_server_shows_it(service: Service, screen: Page) -> None:
    screen.goto(service.url)
    shown = {case["name"]: screen.evaluate(SHOW, case["records"]) for case in CASES}
    assert shown == {case["name"]: case["lines"] for case in CASES}


def test_bars_of_several_lines_are_written_anew_live_and_after_a_reload(
    service: Service, screen: Page
) -> None:
    slug = service.make_script("Bars", BARS)
    run = service.post(f"/scripts/{slug}/runs")["id"]
    screen.goto(f"{service.url}/runs/{run}/")
    texts = screen.locator(".row-x")
    expect(texts).to_have_text(["a 50%", "b 50%", "c 50%"])
    screen.reload()
    expect(texts).to_have_text(["a 50%", "b 50%", "c 50%"])
    (service.data / "scripts" / slug / "files" / "gate").touch()
    expect(texts).to_have_text(["a 100%", "b 100%", "c 100%", "end"])
    expect(screen.locator("[data-total]")).to_have_text("4 lines")


def run_with_gap(service: Service) -> int:
    """A run of 1,000 lines, of which the lines 101 to 900 were left out."""
    run = finished_run(service, lambda number: f"line {number}", 100)
    (log,) = (service.data / "runs").glob(f"*/{run}-*/output.log")
    said = [
        "S F Output is over 10 MB: of what follows only the last 256 KB are kept",
        "S F 8,000 bytes of output (800 lines) were left out here",
        *(f"O F line {number}" for number in range(901, 1001)),
    ]
    with log.open("a", newline="") as end:
        end.writelines(f"{EPOCH_MS} {line}\n" for line in said)
    return run


def test_lines_behind_a_gap_keep_their_real_numbers(service: Service, screen: Page) -> None:
    run = run_with_gap(service)
    screen.goto(f"{service.url}/runs/{run}/")
    in_view(screen, 1000)
    assert row(screen, 1000) == "line 1000"
    expect(screen.locator("[data-total]")).to_have_text("1,000 lines")
    expect(screen.locator("[data-state]")).to_have_text("Its output, but for what was left out.")
    for number in (905, 95):
        screen.goto(f"{service.url}/runs/{run}/#L{number}")
        in_view(screen, number)
        expect(screen.locator(".is-marked .row-x")).to_have_text([f"line {number}"])
    screen.fill("[data-find]", "line 950")
    expect(screen.locator(".row.is-current .row-x")).to_have_text("line 950")
    expect(screen.locator(".row.is-current")).to_have_attribute("data-n", "950")


def test_without_javascript_a_gap_is_not_called_all_of_the_output(
    service: Service, session: StorageState
) -> None:
    run = run_with_gap(service)
    with browser_of(java_script_enabled=False, storage_state=session) as page:
        page.goto(f"{service.url}/runs/{run}/")
        expect(page.locator(".row-n").last).to_have_attribute("data-n", "1000")
        expect(page.locator("[data-state]")).to_have_text("Its output, but for what was left out.")
