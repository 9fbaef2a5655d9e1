"""Folders of the data folder: closed, or passable where scripts are users of their own."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tempo_site.lib import files, paths


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """Web's, which must not undo a mode."""
    before = os.umask(0o077)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    """The rights of a file or folder."""
    return stat.S_IMODE(path.stat().st_mode)


def modes() -> list[int]:
    """The rights of the data folder and its parts that lead to what scripts use."""
    return [
        mode(folder)
        for folder in (paths.data(), paths.data() / "scripts", paths.runs(), paths.environments())
    ]


def test_everything_is_closed_where_scripts_have_no_users_of_their_own() -> None:
    paths.make_all()
    assert {*modes(), mode(paths.cache()), mode(paths.bells())} == {0o700}


def test_scripts_users_may_pass_through_and_list_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(paths.SCRIPT_USERS, "1")
    paths.make_all()
    assert set(modes()) == {0o711}
    assert {mode(paths.cache()), mode(paths.bells())} == {0o700}


def test_the_way_to_a_folder_is_made_passable_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(paths.SCRIPT_USERS, "1")
    folder = paths.run_folder("2026-11/7-abcdef12")
    paths.make_passable(folder)
    assert [mode(folder), mode(folder.parent), mode(paths.runs()), mode(paths.data())] == [
        0o711
    ] * 4


def test_a_way_that_was_closed_or_removed_meanwhile_is_made_passable_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(paths.SCRIPT_USERS, "1")
    folder = paths.run_folder("2026-11/7-abcdef12")
    paths.make_passable(folder)
    paths.runs().chmod(0o700)
    folder.rmdir()
    folder.parent.rmdir()
    paths.make_passable(folder)
    assert [mode(folder), mode(folder.parent), mode(paths.runs())] == [0o711] * 3


def test_a_folder_elsewhere_is_named_and_not_made(tmp_path: Path) -> None:
    elsewhere = tmp_path / "else/where"
    with pytest.raises(ValueError, match=f"{elsewhere} is not within {paths.data()}"):
        paths.make_passable(elsewhere)
    assert not elsewhere.parent.exists()


def test_where_all_is_there_no_folder_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(paths.SCRIPT_USERS, "1")
    folder = paths.run_folder("2026-11/7-abcdef12")
    paths.make_passable(folder)
    made: list[Path] = []
    monkeypatch.setattr(Path, "mkdir", lambda path, **_: made.append(path))
    paths.make_passable(folder)
    assert made == []


def test_a_folder_that_anybody_could_write_to_is_passable_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(paths.SCRIPT_USERS, "1")
    paths.data().chmod(0o1777)
    paths.make_all()
    assert mode(paths.data()) == 0o711


def test_a_link_opens_nothing_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(paths.SCRIPT_USERS, "1")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    paths.runs().rmdir()
    paths.runs().symlink_to(closed)
    paths.make_all()
    assert mode(closed) == 0o700


def test_a_folder_that_its_owner_opened_stays_open() -> None:
    paths.data().chmod(0o750)
    paths.make_all()
    assert mode(paths.data()) == 0o750


def test_a_file_for_others_is_theirs_to_read_whatever_the_umask_is(tmp_path: Path) -> None:
    files.write_atomic(tmp_path / "open", "x", mode=0o644)
    files.write_atomic(tmp_path / "closed", "x")
    assert [mode(tmp_path / "open"), mode(tmp_path / "closed")] == [0o644, 0o600]


def test_a_database_that_was_copied_back_is_closed_again() -> None:
    paths.make_all()
    copied = paths.data() / "secret_key"
    copied.write_text("x")
    copied.chmod(0o644)
    paths.make_all()
    assert mode(copied) == 0o600
