"""What a search finds, whether the index holds it or not."""

import errno
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.utils import timezone

from runs_app.history import cold_logs
from runs_app.models import Run
from runs_app.output import stored_log
from runs_app.output.stored_log import StoredLog
from runs_app.search import month_index, patterns, query, search
from runs_app.states import Kind, Status
from tempo_site.lib import paths
from tests.factories import make_script
from tests.rows import each_row
from tests.runs_app.search.logs import AT_MS, find, found, index_all, make_logged, record

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["indexed", "scanned"])
def prepare(request: pytest.FixtureRequest) -> Callable[[], None]:
    """What makes the runs so far ready: both ways have to find the same."""

    def do_nothing() -> None:
        pass

    return index_all if request.param == "indexed" else do_nothing


@pytest.fixture
def motley(prepare: Callable[[], None]) -> Run:
    """A run with a log of all kinds of lines."""
    run = make_logged(
        "begin",
        "a timeout came",
        "Timeout of host db-1",
        "Straße 7",
        "中漢字文",
        "100%_* done",
        "col\x1b[32moured\x1b[0m",
        "password is ***",
    )
    prepare()
    return run


@each_row(
    ("text", "numbers"),
    [
        ("timeout", [3, 2]),
        ("TIMEOUT", [3, 2]),
        ("imeou", [3, 2]),
        ("timeout host", [3]),
        ('"time out"', []),
        ('"host db-1"', [3]),
        ("timeout -host", [2]),
        ("straße", [4]),
        ("STRASSE", [4]),
        ("漢字", [5]),
        ("字", [5]),
        ("db", [3]),
        ("zq", []),
        (r"re:time(out|d)", [3, 2]),
        (r"re:^Timeout\s host", [3]),
        ("stream:stderr timeout", []),
        ('"100%_*"', [6]),
        ("coloured", [7]),
        ("secret-value", []),
        ('say"hello', []),
        ("host\0", [3]),
        ("col\x1b[1moured", [7]),
    ],
)
def test_lines_are_found(motley: Run, text: str, numbers: list[int]) -> None:
    assert found(text) == [(motley.pk, number) for number in numbers]


@pytest.mark.parametrize("cold_first", [True, False])
def test_a_cold_log_is_searched_as_a_plain_one(
    prepare: Callable[[], None], cold_first: bool
) -> None:
    run = make_logged(*(f"line {number} of the backup" for number in range(1, 2001)), "the needle")
    steps = [lambda: cold_logs.compress(paths.run_folder(run.folder)), prepare]
    for step in steps if cold_first else reversed(steps):
        step()
    assert not (paths.run_folder(run.folder) / "output.log").exists()
    assert found("needle") == [(run.pk, 2001)]
    assert found('"line 1500 of"') == [(run.pk, 1500)]


def test_a_hit_has_two_lines_before_and_after(prepare: Callable[[], None]) -> None:
    make_logged(*[f"line {number}" for number in range(1, 3000)])
    prepare()
    (hit,) = find('"line 1500"').hits
    assert (hit.before, hit.after) == (["line 1498", "line 1499"], ["line 1501", "line 1502"])


def test_context_reaches_over_the_parts_of_a_log(prepare: Callable[[], None]) -> None:
    make_logged(*[f"line-{number}." for number in range(1, 2000)])
    prepare()
    hits = find("line-", limit=2000).hits
    assert len(hits) == 1999
    for hit in hits[2:-2]:
        number = hit.line.number
        assert hit.before == [f"line-{number - 2}.", f"line-{number - 1}."]
        assert hit.after == [f"line-{number + 1}.", f"line-{number + 2}."]


def test_the_newest_come_first_page_by_page(prepare: Callable[[], None]) -> None:
    runs = [make_logged(*["same"] * 5).pk for _ in range(4)]
    prepare()
    pages = []
    cursor = None
    while True:
        results = find("same", cursor=cursor, limit=3)
        pages += [(hit.run.pk, hit.line.number) for hit in results.hits]
        if results.is_complete:
            break
        cursor = search.parse_cursor(str(results.next_cursor))
    assert pages == [(run, number) for run in reversed(runs) for number in range(5, 0, -1)]


def test_a_budget_that_is_over_is_said_and_the_rest_goes_on(prepare: Callable[[], None]) -> None:
    runs = [make_logged("needle", *["x" * 100] * 500).pk for _ in range(5)]
    prepare()
    pages = 0
    numbers = []
    cursor = None
    while pages == 0 or cursor is not None:
        results = find("needle", cursor=cursor, budget_s=0.0)
        assert results.is_complete or results.searched_back_to is not None
        numbers += [hit.run.pk for hit in results.hits]
        cursor = results.next_cursor
        pages += 1
    assert numbers == list(reversed(runs))
    assert pages > 1


def test_months_lie_in_one_order(prepare: Callable[[], None]) -> None:
    # A run that waited over the end of a month.
    runs = [
        make_logged("same", month=month).pk
        for month in ("2026-10", "2026-11", "2026-10", "2026-11")
    ]
    prepare()
    assert [run for run, _ in found("same")] == list(reversed(runs))


@pytest.fixture
def several(prepare: Callable[[], None]) -> dict[int, str]:
    """Runs that print the same, each by what it is called here."""
    hello, ops = make_script(), make_script("Ops script", folder="Ops")
    names = {
        make_logged("same", script=hello).pk: "hello",
        make_logged("same", script=hello, status=Status.FAILED).pk: "failed",
        make_logged("same", script=ops).pk: "ops",
        make_logged("same", kind=Kind.BUILD).pk: "build",
    }
    prepare()
    return names


@each_row(
    ("text", "expected"),
    [
        ("same script:hello-world", {"hello", "failed"}),
        ("same folder:Ops", {"ops"}),
        ("same status:failed", {"failed"}),
        ("same status:bad", {"failed"}),
        ("same kind:build", {"build"}),
        ("same kind:all", {"hello", "failed", "ops", "build"}),
        ("same", {"hello", "failed", "ops"}),
        ("same after:2026-11-01", {"hello", "failed", "ops"}),
        ("same after:2026-11-02", set()),
        ("same before:2026-11-02", {"hello", "failed", "ops"}),
        ("same before:2026-11-01", set()),
        ("same stream:stdout", {"hello", "failed", "ops"}),
        ("same stream:stderr", set()),
    ],
)
def test_filters(several: dict[int, str], text: str, expected: set[str]) -> None:
    assert {several[run] for run, _ in found(text)} == expected


def test_a_run_that_goes_on_is_searched_too() -> None:
    index_all()
    run = make_logged("just now", status=Status.RUNNING, finished_at=None)
    index_all()
    assert found("just") == [(run.pk, 1)]
    Run.objects.filter(pk=run.pk).update(status=Status.SUCCEEDED, finished_at=timezone.now())
    index_all()
    with month_index.reading("2026-11") as index:
        assert index.holds([run.pk])
    assert found("just") == [(run.pk, 1)]


@pytest.mark.parametrize("what", ["row", "folder"])
def test_a_deleted_run_never_shows(what: str) -> None:
    run, other = make_logged("needle"), make_logged("needle")
    index_all()
    if what == "row":  # a crash left the folder
        Run.objects.filter(pk=run.pk).delete()
    else:
        shutil.rmtree(paths.run_folder(run.folder))
    assert found("needle") == [(other.pk, 1)]


def test_encoded_data_is_passed_over_and_that_is_said(prepare: Callable[[], None]) -> None:
    run = make_logged("head tail", "data " + "QUJD" * 500 + " needle")
    index_all()
    assert find("qujdqujd").hits == []
    assert find("qujdqujd").has_skips
    assert found("needle") == [(run.pk, 2)]


# --- lines that are not plain ----------------------------------------------------------------------------------------
def test_a_line_of_pieces_is_found_whole(prepare: Callable[[], None]) -> None:
    data = record("nee", kind="P") + record("between", stream="E") + record("dle") + record("end")
    run = make_logged(data=data)
    prepare()
    assert found("needle") == [(run.pk, 1)]
    assert found("between stream:stderr") == [(run.pk, 2)]


def test_of_a_progress_bar_what_is_shown_is_found(prepare: Callable[[], None]) -> None:
    run = make_logged(data=record(b"10 percent\r99 percent") + record("end"))
    prepare()
    assert found("99") == [(run.pk, 1)]
    assert found('"10 percent"') == []


def test_numbers_count_what_was_left_out(prepare: Callable[[], None]) -> None:
    gap = record("1,000 bytes of output (100 lines) were left out here", stream="S")
    run = make_logged(data=record("first") + gap + record("last needle"))
    prepare()
    assert found("needle") == [(run.pk, 101)]


def test_any_log_is_searched_as_its_lines_say(prepare: Callable[[], None]) -> None:
    dice = random.Random(4)
    words = ["alpha", "beta", "gamma", "delta"]
    lines = [" ".join(dice.choices(words, k=9)) + f" {number}" for number in range(20_000)]
    at = [
        record(line, stream=dice.choice("OE"), at_ms=AT_MS + number)
        for number, line in enumerate(lines)
    ]
    run = make_logged(data=b"".join(at))
    prepare()
    expected = [
        (run.pk, n + 1) for n, line in enumerate(lines) if "alpha alpha" in line and "123" in line
    ]
    assert found('"alpha alpha" 123', limit=5000) == sorted(expected, reverse=True)
    assert expected


# --- regular expressions ---------------------------------------------------------------------------------------------
def test_a_regular_expression_that_takes_for_ever_is_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("runs_app.search.patterns.TIMEOUT_S", 0.3)
    make_logged("a" * 60 + "!")
    with pytest.raises(patterns.TooSlow, match="took too long"):
        find("re:(a+)+$")


@pytest.mark.parametrize(
    "pattern",
    ["(?i)" + "[Ā-\U0010ffff]" * 95, "[Ā-\U0010ffff]" * 95, "(?:" * 120 + "a" + "){9}" * 70],
)
def test_an_expression_that_takes_long_to_read_takes_no_time_of_ours(
    pattern: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runs_app.search.patterns.TIMEOUT_S", 0.05)
    make_logged("hay")
    before = time.process_time()
    with pytest.raises((patterns.TooSlow, query.QueryError)):
        find(f"re:{pattern}")
    assert time.process_time() - before < 0.5


@each_row("pattern", ["(", "[", "*a", "(?P<1>a)", "a{2,1}", r"\\"[:1], "(" * 400])
def test_what_is_no_regular_expression_is_said(pattern: str) -> None:
    with pytest.raises(query.QueryError, match="is no regular expression"):
        find(f"re:{pattern}")


def test_a_log_that_the_disk_refuses_does_not_hide_the_others(
    prepare: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [make_logged("needle") for _ in range(3)]
    prepare()
    original = stored_log.open_stored

    def refuse(path: Path) -> StoredLog | None:
        if str(runs[1].folder) in str(path):
            raise OSError(errno.EIO, "Input/output error")
        return original(path)

    monkeypatch.setattr(stored_log, "open_stored", refuse)
    assert found("needle") == [(runs[2].pk, 1), (runs[0].pk, 1)]


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: b"\xff\n" * 40_000,
        lambda data: b"needle without a head\n" * 3000,
        lambda data: data[:5000] + b"\0" * 100 + data[5100:],
        lambda data: record("another log") * 10 + record("with a needle"),
    ],
    ids=["truncated", "emptied", "replaced", "headless", "spoilt", "another"],
)
@pytest.mark.parametrize("lines", [2, 2000])
def test_a_log_that_changed_beneath_the_index_stops_no_search(
    change: Callable[[bytes], bytes], lines: int
) -> None:
    well = make_logged("needle")
    run = make_logged(*["needle in the hay, or another one"] * lines)
    index_all()
    log = paths.run_folder(run.folder) / "output.log"
    log.write_bytes(change(log.read_bytes()))
    hits = find("needle", limit=10_000).hits
    assert hits[-1].run == well
    assert all("needle" in hit.line.text for hit in hits)


def test_of_another_log_in_its_place_the_lines_are_those_that_are_there() -> None:
    run = make_logged(*["needle"] * 2000)
    index_all()
    log = paths.run_folder(run.folder) / "output.log"
    log.write_bytes(record("a") + record("nee", kind="P") + record("dle") + record("b") * 3000)
    assert found("needle") == [(run.pk, 2)]
