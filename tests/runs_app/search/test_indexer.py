"""The index is filled, survives what happens to its files, and is never needed for the truth."""

import errno
import json
import random
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest
from pytest_django import Settings
from pytest_django.fixtures import DjangoAssertNumQueries

from runs_app.models import Run
from runs_app.search import coverage, indexer, log_texts, month_index, packs, search
from runs_app.search.coverage import Coverage
from runs_app.search.month_index import IndexedRun
from runs_app.states import Status
from tempo_site.lib import paths
from tests.benchmarks import search_filling
from tests.runs_app.search.logs import AT_MS, find, found, index_all, make_logged

pytestmark = pytest.mark.django_db
MONTH = "2026-11"


def held(*runs: Run) -> list[bool]:
    with month_index.reading(MONTH) as index:
        folders = index.holds([run.pk for run in runs])
    return [run.pk in folders for run in runs]


def test_every_run_that_ended_is_indexed() -> None:
    runs = [make_logged("needle") for _ in range(120)]
    index_all()
    assert all(held(*runs))
    assert coverage.percent(coverage.load() or pytest.fail()) == 100


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The logs that are opened from now on."""
    opened: list[Path] = []
    original = log_texts.opened

    def counting(
        path: Path, parts: Sequence[tuple[int, int]]
    ) -> AbstractContextManager[log_texts.LogTexts]:
        opened.append(path)
        return original(path, parts)

    monkeypatch.setattr(log_texts, "opened", counting)
    return opened


def test_indexed_logs_are_read_at_the_hit_alone(opened: list[Path]) -> None:
    filling = ["nothing here"] * 500
    runs = [make_logged(*filling), make_logged("needle", *filling), make_logged(*filling)]
    index_all()
    opened.clear()
    assert found("needle") == [(runs[1].pk, 1)]
    assert len(opened) == 1


# --- packs -----------------------------------------------------------------------------------------------------------
def test_of_small_logs_only_the_pack_with_the_hit_is_read(opened: list[Path]) -> None:
    runs = [make_logged("needle" if number == 70 else "nothing " * 100) for number in range(100)]
    index_all()
    opened.clear()
    assert found("needle") == [(runs[70].pk, 1)]
    assert len(opened) <= packs.PACK_LENGTH / 800 + 1


def test_packs_are_searched_in_the_order_of_the_runs_page_by_page() -> None:
    dice = random.Random(5)
    late, runs = [], []
    for number in range(150):
        lines = [dice.choice(["red", "green", "blue"])] * (900 if number % 17 == 0 else 2)
        run = make_logged(*lines, status=Status.RUNNING if number % 13 == 0 else Status.SUCCEEDED)
        late += [run.pk] if number % 13 == 0 else []
        runs += [(run.pk, line) for line in range(len(lines), 0, -1) if lines[0] == "green"]
    index_all()
    Run.objects.filter(pk__in=late).update(status=Status.SUCCEEDED)
    index_all()  # into packs that reach into those of before
    pages: list[tuple[int, int]] = []
    results = find("green", limit=100)
    while results.hits:
        pages += [(hit.run.pk, hit.line.number) for hit in results.hits]
        results = find("green", limit=100, cursor=results.next_cursor or search.SearchCursor(0))
    assert pages == sorted(runs, key=lambda hit: (-hit[0], -hit[1]))
    assert [pk for pk, _ in found("re:^green$", limit=1)] == [runs[-1][0]]


@pytest.mark.parametrize("word", ["zq", "x", "needle"])
def test_words_do_not_reach_from_one_log_into_the_next(word: str) -> None:
    make_logged(f"a{word[:-1]}")
    make_logged(f"{word[-1]}b")
    run = make_logged(f"a {word}")
    index_all()
    assert found(f"{word} a") == [(run.pk, 1)]


def tiny_runs(first: int, logs: Sequence[bytes]) -> Iterator[IndexedRun]:
    for number, log in enumerate(logs, first + 1):
        text = log_texts.PlainBlock(log, 1).text
        yield IndexedRun(
            run=number, folder=f"{MONTH}/{number}-abcdef12", parts=[(0, 0)], texts=[text]
        )


def test_tiny_logs_share_documents_of_sixteen_kilobytes() -> None:
    dice = random.Random(3)
    logs = [search_filling.log(dice, AT_MS, 3, has_rare=False) for _ in range(400)]
    with month_index.writing(MONTH, is_new=True) as index:
        index.add(tiny_runs(0, logs))
        assert len(index.holds(range(500))) == 400
    with closing(sqlite3.connect(month_index.path_of(MONTH))) as connection:
        (documents,) = connection.execute("SELECT count(*) FROM packs").fetchone()
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (0,)
    assert documents <= sum(map(len, logs)) / packs.PACK_LENGTH


def test_small_logs_are_gathered_and_found_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexer, "BATCH", 3)
    indexer.start()  # before the first run of all
    runs = [make_logged("needle") for _ in range(2)]
    assert not indexer.step(gathers=True)
    assert [run for run, _ in found("needle")] == [runs[1].pk, runs[0].pk]
    assert (find("needle").percent, month_index.months()) == (100, [])
    runs.append(make_logged("needle"))
    assert indexer.step(gathers=True)
    assert held(*runs) == [True, True, True]


def test_a_log_that_fills_a_pack_is_not_waited_with() -> None:
    indexer.start()
    run = make_logged(*["needle in the hay"] * 1000)
    assert indexer.step(gathers=True)
    assert held(run) == [True]


@pytest.mark.parametrize("worth", [1, 2])
def test_runs_that_end_later_are_gathered_too(worth: int, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [make_logged("needle", status=Status.RUNNING) for _ in range(2)]
    index_all()
    Run.objects.update(status=Status.SUCCEEDED)
    monkeypatch.setattr(indexer, "BATCH", 2 * worth)
    assert indexer.step(gathers=True) == (worth == 1)
    assert [run for run, _ in found("needle")] == [runs[1].pk, runs[0].pk]


def test_a_run_is_not_indexed_twice() -> None:
    run = make_logged("needle")
    index_all()
    (paths.search() / "coverage.json").unlink()
    stored = coverage.load()
    assert stored is None
    while indexer.step():
        pass
    assert held(run) == [True]
    assert found("needle") == [(run.pk, 1)]


@pytest.mark.parametrize("what", ["month", "folder", "coverage"])
def test_deleted_files_are_made_anew_and_nothing_is_missed_meanwhile(what: str) -> None:
    runs = [make_logged("needle", month=month) for month in ("2026-10", "2026-11", "2026-11")]
    index_all()
    if what == "month":
        month_index.remove(MONTH)
    elif what == "folder":
        shutil.rmtree(paths.search())
    else:
        (paths.search() / "coverage.json").write_text("{")
    results = find("needle")
    assert [hit.run.pk for hit in results.hits] == [run.pk for run in reversed(runs)]
    assert results.percent < 100
    while indexer.step():
        pass
    assert find("needle").percent == 100
    assert all(held(*runs[1:]))


def test_while_it_is_made_anew_the_share_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexer, "BATCH", 5)
    for _ in range(20):
        make_logged("needle")
    indexer.start()
    assert find("needle").percent == 0
    indexer.step()
    assert find("needle").percent == 25
    assert len(find("needle").hits) == 20


@pytest.mark.parametrize("damage", ["begin", "middle", "empty"])
def test_a_damaged_file_is_made_anew(damage: str) -> None:
    runs = [make_logged(*[f"needle {number} in the hay"] * 50) for number in range(300)]
    index_all()
    indexer.stop()
    path = month_index.path_of(MONTH)
    content = bytearray(path.read_bytes())
    if damage == "begin":
        content[:100] = b"x" * 100
    elif damage == "middle":
        content[8192:] = b"\xff" * (len(content) - 8192)
    else:
        content.clear()
    path.write_bytes(content)
    assert found('"needle 7 "', limit=1) == [(runs[7].pk, 50)]
    make_logged("new")
    index_all()
    assert held(runs[7]) == [True]
    assert found('"needle 7 "', limit=1) == [(runs[7].pk, 50)]


@pytest.mark.parametrize("first", [0, 8192])
def test_a_damaged_file_that_cannot_be_removed_stops_no_search(
    first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [make_logged(*[f"needle {number} in the hay"] * 50) for number in range(300)]
    index_all()
    indexer.stop()
    path = month_index.path_of(MONTH)
    content = bytearray(path.read_bytes())
    content[first:] = b"\xff" * (len(content) - first)
    path.write_bytes(content)

    def refuse(_: str) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(month_index, "remove", refuse)
    assert found('"needle 7 "', limit=1) == [(runs[7].pk, 50)]


@pytest.mark.parametrize("what", ["[" * 100_000, '{"low": 1e400}', "[]", '{"low": "\ud800"}', ""])
def test_of_a_spoilt_note_of_coverage_nothing_is_believed(what: str) -> None:
    run = make_logged("needle")
    index_all()
    (paths.search() / "coverage.json").write_bytes(what.encode("utf-8", "surrogatepass"))
    assert found("needle") == [(run.pk, 1)]
    while indexer.step():
        pass
    assert find("needle").percent == 100


def test_after_a_power_cut_what_was_not_on_the_disk_is_made_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = make_logged("needle")
    index_all()
    monkeypatch.setattr(coverage, "boot_id", lambda: "another")
    indexer.start()
    assert month_index.months() == []
    index_all()
    assert held(run) == [True]


def test_what_was_brought_to_the_disk_is_kept_over_a_restart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = make_logged("needle")
    index_all()
    indexer.stop()
    monkeypatch.setattr(coverage, "boot_id", lambda: "another")
    indexer.start()
    assert held(run) == [True]


def test_a_database_of_a_backup_makes_the_index_anew() -> None:
    run = make_logged("needle")
    index_all()
    moved = paths.run_folder(run.folder)
    run.folder = f"{MONTH}/{run.pk}-other"
    run.save()
    shutil.move(moved, paths.run_folder(run.folder))
    (paths.search() / "coverage.json").unlink()
    while indexer.step():
        pass
    assert found("needle") == [(run.pk, 1)]


def test_a_month_without_runs_loses_its_file() -> None:
    run = make_logged("needle")
    index_all()
    shutil.rmtree(paths.runs() / MONTH)
    Run.objects.filter(pk=run.pk).delete()
    indexer.drop_old_months()
    assert month_index.months() == []
    assert json.loads((paths.search() / "coverage.json").read_text())["months"] == []


def test_a_log_that_cannot_be_read_stops_nothing() -> None:
    broken, well = make_logged("needle"), make_logged("needle")
    log = paths.run_folder(broken.folder) / "output.log"
    log.unlink()
    log.symlink_to("/etc/hostname")
    index_all()
    assert found("needle") == [(well.pk, 1)]


def test_a_complete_index_reads_nothing_of_the_history(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(3):
        make_logged("a")
    index_all()
    complete = coverage.load() or pytest.fail()
    with django_assert_num_queries(1) as asked:  # for runs that are newer
        assert list(coverage.not_covered(complete, below=search.MAX_ID)) == []
    assert asked.captured_queries[0]["sql"].count('"id" <') == 1


def test_each_page_of_runs_that_are_not_indexed_begins_where_the_last_one_ended(
    monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    monkeypatch.setattr(coverage, "PAGE", 2)
    runs = [make_logged("a").pk for _ in range(5)]
    missing = Coverage(low=runs[3], high=runs[3])
    with django_assert_max_num_queries(5) as asked:
        assert list(coverage.not_covered(missing, below=search.MAX_ID)) == runs[::-1]
    # Of two bounds SQLite takes the first one, and reads all rows up to the other.
    assert all(query["sql"].count('"id" <') == 1 for query in asked.captured_queries)


@pytest.mark.parametrize("damage", ["removed", "empty", "spoilt"])
def test_an_index_that_is_spoilt_while_it_serves_does_not_hold_up_the_stop(damage: str) -> None:
    run = make_logged("needle")
    index_all()
    path = month_index.path_of(MONTH)
    if damage == "removed":
        path.unlink()
    else:
        path.write_bytes(b"" if damage == "empty" else b"x" * 8192)
    indexer.stop()
    assert not path.exists()
    index_all()
    assert held(run) == [True]


def test_a_data_folder_may_have_any_name(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_PATH = tmp_path / "50% of #1? %41"
    run = make_logged("needle")
    index_all()
    assert held(run) == [True]
    assert found("needle") == [(run.pk, 1)]
