"""Files that are whole or absent."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tempo_site.lib import files


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An empty folder."""
    folder = tmp_path / "place"
    folder.mkdir()
    return folder


def fail(_: int) -> None:
    """Stand for os.fsync on a full disk."""
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("content", ["Grüße\n", b"\x00\xff raw"])
def test_it_writes_text_as_utf_8_and_bytes_as_they_are(
    tmp_path: Path, content: str | bytes
) -> None:
    files.write_atomic(tmp_path / "file", content)
    assert (tmp_path / "file").read_bytes() == (
        content.encode() if isinstance(content, str) else content
    )


def test_it_replaces_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("a much longer old content")
    files.write_atomic(path, "new")
    assert path.read_text() == "new"


@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_a_file_has_the_mode_it_was_asked_for(tmp_path: Path, mode: int) -> None:
    files.write_atomic(tmp_path / "file", "secret", mode=mode)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


def test_a_write_that_fails_keeps_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        files.write_atomic(path, "new")
    assert path.read_text() == "old"


@pytest.mark.parametrize("target", ["folder", "missing/file"])
def test_a_write_that_fails_leaves_nothing_beside(place: Path, target: str) -> None:
    (place / "folder").mkdir()
    with pytest.raises(OSError):
        files.write_atomic(place / target, "new")
    assert [path.name for path in place.iterdir()] == ["folder"]


def test_text_that_cannot_be_stored_touches_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        files.write_atomic(path, "\ud800")
    assert path.read_text() == "old"


def test_it_replaces_a_link_and_not_what_the_link_names(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("untouched")
    (tmp_path / "file").symlink_to("victim")
    files.write_atomic(tmp_path / "file", "new")
    assert (tmp_path / "victim").read_text() == "untouched"
    assert (tmp_path / "file").read_text() == "new"


def test_threads_that_write_one_file_at_once_leave_a_whole_one(place: Path) -> None:
    contents = [letter * 200_000 for letter in "abcdefgh"]
    with ThreadPoolExecutor(len(contents)) as pool:
        for _ in range(5):
            list(
                pool.map(
                    lambda content: files.write_atomic(place / "file", content, durable=False),
                    contents,
                )
            )
            assert (place / "file").read_text() in contents
    assert [path.name for path in place.iterdir()] == ["file"]


def test_a_durable_write_syncs_the_file_and_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bool] = []
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: synced.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
    )
    files.write_atomic(tmp_path / "file", "new")
    assert synced == [False, True]


def test_a_write_that_need_not_last_syncs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", fail)
    files.write_atomic(tmp_path / "file", "new", durable=False)
    assert (tmp_path / "file").read_text() == "new"
