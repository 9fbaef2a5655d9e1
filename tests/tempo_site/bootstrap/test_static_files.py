"""Static files that are collected before the service starts."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import CommandError

from tempo_site.bootstrap import static_files


def test_static_files_are_collected_once(static_root: Path, said: list[str]) -> None:
    for _ in range(2):
        static_files.collect(said.append)
    assert (static_root / "page.css").read_text() == "a {}"
    assert said == ["Static files are collected."]


def test_two_that_start_at_once_collect_once(static_root: Path, said: list[str]) -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: static_files.collect(said.append), range(2)))
    assert said == ["Static files are collected."]


def test_a_changed_static_file_is_collected_again(
    static_root: Path, tmp_path: Path, said: list[str]
) -> None:
    static_files.collect(said.append)
    (tmp_path / "source" / "page.css").write_text("b { color: red }")
    static_files.collect(said.append)
    assert (static_root / "page.css").read_text() == "b { color: red }"


def test_a_changed_static_file_is_collected_even_with_an_older_time(
    static_root: Path, tmp_path: Path, said: list[str]
) -> None:
    static_files.collect(said.append)
    (tmp_path / "source" / "page.css").write_text("b { color: red }")
    os.utime(tmp_path / "source" / "page.css", (1_000_000_000, 1_000_000_000))
    static_files.collect(said.append)
    assert (static_root / "page.css").read_text() == "b { color: red }"


def test_a_static_file_that_is_gone_stays_for_pages_that_are_open(
    static_root: Path, tmp_path: Path, said: list[str]
) -> None:
    (tmp_path / "source" / "old.js").write_text("1")
    static_files.collect(said.append)
    (tmp_path / "source" / "old.js").unlink()
    static_files.collect(said.append)
    assert (static_root / "old.js").exists()


def test_a_static_file_of_two_releases_ago_is_removed(
    static_root: Path, tmp_path: Path, said: list[str]
) -> None:
    page = tmp_path / "source" / "page.css"
    hashed = []
    for color in ("red", "green", "blue"):
        page.write_text(f"b {{ color: {color} }}" + " " * 1000)
        static_files.collect(said.append)
        hashed.append({path.name for path in static_root.iterdir()})
    first, second, third = hashed
    assert first < second, "those of the release before stay"
    assert len(first - third) == 2, "one hashed file and its .gz"
    assert len(second & third) == len(second) - 2


@pytest.mark.usefixtures("umask")
def test_everybody_may_read_what_was_collected(
    static_root: Path, tmp_path: Path, said: list[str]
) -> None:
    (tmp_path / "source" / "js").mkdir()
    (tmp_path / "source" / "js" / "page.js").write_text("1")
    os.umask(0o077)
    static_files.collect(said.append)
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in (static_root, *static_root.rglob("*"))
    }
    assert {modes.pop("collected"), modes.pop("js")} == {0o755}
    assert set(modes.values()) == {0o644}


def test_times_within_a_second_do_not_count(
    static_root: Path, tmp_path: Path, said: list[str]
) -> None:
    page = tmp_path / "source" / "page.css"
    os.utime(page, ns=(5 * 10**9 + 123, 5 * 10**9 + 123))
    static_files.collect(said.append)
    os.utime(page, (5, 5))  # as an image keeps it
    static_files.collect(said.append)
    assert said == ["Static files are collected."]


def test_who_may_not_collect_uses_what_is_there_and_says_so(
    static_root: Path, tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    static_files.collect(said.append)
    (tmp_path / "source" / "page.css").write_text("b { color: red }")
    monkeypatch.setattr(static_files, "_may_collect", lambda: False)
    static_files.collect(said.append)
    assert (static_root / "page.css").read_text() == "a {}"
    assert said[1].startswith("Static files are older than their sources: user ")


def test_who_may_not_collect_and_has_none_is_told_what_to_do(
    static_root: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(static_files, "_may_collect", lambda: False)
    with pytest.raises(
        CommandError, match=f"cannot be written to {static_root} by user .*\\nhint: "
    ):
        static_files.collect(said.append)


def test_development_needs_no_collected_files(
    static_root: Path, settings: LazySettings, said: list[str]
) -> None:
    settings.DEBUG = True
    static_files.collect(said.append)
    assert not static_root.exists()
