"""The files of a script: nothing leads out of its folder, nothing half done, nothing followed."""

import os
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings

from scripts_app.files import store
from scripts_app.files.store import NoSuchFile
from scripts_app.models import Script
from scripts_app.validation import ScriptError
from tempo_site.lib import paths
from tests.factories import make_script
from tests.rows import each_row

HOSTILE = [
    "..",
    ".",
    "",
    "/",
    "../x",
    "a/../../x",
    "/etc/passwd",
    "a//b",
    "a/",
    "a\0b",
    "\ud800",
    "x" * 256,
    "a/" * 600,
]

pytestmark = pytest.mark.django_db


@pytest.fixture
def script() -> Script:
    return make_script()


@pytest.fixture
def files(script: Script) -> Path:
    """Its folder on the disk."""
    folder = paths.script_files(script.slug)
    paths.make_passable(folder.parent)
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def secret(data_folder: Path) -> Path:
    """A file that is none of the script's."""
    (data_folder / "secret_key").write_text("secret")
    return data_folder / "secret_key"


def names(script: Script, folder: str = "") -> list[tuple[str, str]]:
    return [(entry.name, entry.kind) for entry in store.listing(script, folder).entries]


def read(script: Script, path: str) -> bytes:
    with store.opened(script, path) as file:
        return file.read()


# --- storing and reading -------------------------------------------------------------------------------------------
def test_what_was_stored_is_listed_and_read(script: Script, files: Path) -> None:
    store.save(script, "data/input.csv", [b"a,", b"b\n"])
    assert names(script) == [("data", "folder")]
    assert names(script, "data") == [("input.csv", "file")]
    assert read(script, "data/input.csv") == (files / "data/input.csv").read_bytes() == b"a,b\n"


def test_a_script_without_a_folder_yet_has_no_files(script: Script) -> None:
    assert names(script) == []


@pytest.mark.parametrize(
    "name", ["<script>.html", "日本語.txt", "a b&c", "-rf", "%2e%2e", "\\..\\x", "'; drop"]
)
def test_a_strange_name_is_a_name(script: Script, name: str) -> None:
    store.save(script, name, [b"x"])
    assert (names(script), read(script, name)) == ([(name, "file")], b"x")


def test_a_name_that_is_taken_is_replaced_only_when_that_is_said(script: Script) -> None:
    store.save(script, "a", [b"1"])
    with pytest.raises(ScriptError, match="There is a file `a` already"):
        store.save(script, "a", [b"2"])
    store.save(script, "a", [b"3"], replace=True)
    assert read(script, "a") == b"3"


def test_what_is_too_large_leaves_nothing_behind(
    script: Script, files: Path, settings: LazySettings
) -> None:
    settings.MAX_UPLOAD_MB = 1
    with pytest.raises(ScriptError, match="larger than 1 MB"):
        store.save(script, "a", [b"x" * 2**20, b"x"])
    assert list(files.iterdir()) == []


def test_an_upload_that_breaks_off_leaves_the_old_file(script: Script, files: Path) -> None:
    def broken() -> Any:
        yield b"new"
        raise OSError(28, "No space left on device")

    store.save(script, "a", [b"old"])
    with pytest.raises(ScriptError, match="the disk is full"):
        store.save(script, "a", broken(), replace=True)
    assert (read(script, "a"), list(files.iterdir())) == (b"old", [files / "a"])


def test_with_users_of_their_own_scripts_may_change_what_was_uploaded(
    script: Script, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(paths.SCRIPT_USERS, "1")
    store.save(script, "data/a", [b"1"])
    assert (files / "data/a").stat().st_mode & 0o777 == 0o666
    assert (files / "data").stat().st_mode & 0o7777 == 0o2777
    assert paths.uploads_note(script.slug).exists()
    assert files.stat().st_mode & 0o005 == 0 or files.stat().st_uid == os.geteuid()


def test_without_they_are_closed_to_everybody_else(script: Script, files: Path) -> None:
    store.save(script, "data/a", [b"1"])
    assert ((files / "data/a").stat().st_mode & 0o777, (files / "data").stat().st_mode & 0o777) == (
        0o600,
        0o700,
    )


# --- nothing leads out ---------------------------------------------------------------------------------------------
@each_row("path", HOSTILE)
def test_a_path_that_leads_elsewhere_is_refused(script: Script, path: str) -> None:
    for act in (
        lambda: store.save(script, path, [b"x"]),
        lambda: store.opened(script, path),
        lambda: store.delete(script, path),
        lambda: store.make_folder(script, path),
    ):
        with pytest.raises(ScriptError):
            act()


@pytest.mark.parametrize("name", ["a\nb", "a\x1bb", "a\tb"])
def test_a_new_name_is_one_line(script: Script, name: str) -> None:
    with pytest.raises(ScriptError, match="control character"):
        store.save(script, name, [b"x"])


def test_a_link_to_a_file_is_shown_and_not_read(script: Script, files: Path, secret: Path) -> None:
    (files / "innocent").symlink_to(secret)
    assert names(script) == [("innocent", "link")]
    with pytest.raises(NoSuchFile):
        store.opened(script, "innocent")


def test_a_link_is_replaced_and_deleted_itself(script: Script, files: Path, secret: Path) -> None:
    (files / "innocent").symlink_to(secret)
    store.save(script, "innocent", [b"x"], replace=True)
    (files / "other").symlink_to(secret)
    store.delete(script, "other")
    assert secret.read_text() == "secret"
    assert names(script) == [("innocent", "file")]


def test_a_link_to_a_folder_is_not_entered(script: Script, files: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/kept").write_text("kept")
    (files / "way").symlink_to(tmp_path / "elsewhere")
    for act in (
        lambda: store.listing(script, "way"),
        lambda: store.save(script, "way/new", [b"x"]),
        lambda: store.opened(script, "way/kept"),
        lambda: store.delete(script, "way/kept"),
        lambda: store.make_folder(script, "way/new"),
    ):
        with pytest.raises(NoSuchFile):
            act()
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["kept"]


def test_a_script_folder_that_is_a_link_is_not_entered(
    script: Script, files: Path, tmp_path: Path
) -> None:
    files.rmdir()
    files.symlink_to(tmp_path)
    with pytest.raises(NoSuchFile):
        store.listing(script)


def test_what_is_no_file_is_not_waited_for(script: Script, files: Path) -> None:
    os.mkfifo(files / "pipe")
    assert names(script) == [("pipe", "other")]
    with pytest.raises(NoSuchFile):
        store.opened(script, "pipe")


def test_a_second_name_for_a_file_of_tempos_is_not_read(
    script: Script, files: Path, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(paths.SCRIPT_USERS, "1")
    os.link(secret, files / "innocent")
    with pytest.raises(NoSuchFile):
        store.opened(script, "innocent")


# --- listing -------------------------------------------------------------------------------------------------------
def test_a_folder_of_many_files_has_pages(script: Script, files: Path) -> None:
    for number in range(25):
        (files / f"{number:02}").touch()
    first = store.listing(script, limit=10)
    second = store.listing(script, limit=10, after=first.following)
    last = store.listing(script, limit=10, after=second.following)
    found = [entry.name for part in (first, second, last) for entry in part.entries]
    assert (found, last.following) == ([f"{number:02}" for number in range(25)], "")


def test_a_name_that_is_no_utf8_and_a_time_beyond_the_calendar_are_shown_all_the_same(
    script: Script, files: Path
) -> None:
    os.close(os.open(os.fsencode(files) + b"/caf\xe9", os.O_CREAT | os.O_WRONLY))
    (files / "future").touch()
    os.utime(files / "future", (2**33, 2**33))
    first, second = store.listing(script).entries
    assert (first.name, first.has_readable_name, second.name) == ("caf\ufffd", False, "future")


# --- deleting ------------------------------------------------------------------------------------------------------
def test_a_folder_is_deleted_empty_or_when_all_in_it_is_meant(script: Script) -> None:
    store.make_folder(script, "empty/deep")
    store.delete(script, "empty/deep")
    store.save(script, "full/a", [b"x"])
    with pytest.raises(ScriptError, match="not empty"):
        store.delete(script, "full")
    store.delete(script, "full", recursive=True)
    assert names(script) == [("empty", "folder")]


def test_deleting_a_folder_follows_no_link_in_it(script: Script, files: Path, secret: Path) -> None:
    (files / "full").mkdir()
    (files / "full/way").symlink_to(secret.parent)
    store.delete(script, "full", recursive=True)
    assert (secret.read_text(), names(script)) == ("secret", [])


def test_what_is_not_there_cannot_be_deleted(script: Script) -> None:
    with pytest.raises(NoSuchFile):
        store.delete(script, "a")
