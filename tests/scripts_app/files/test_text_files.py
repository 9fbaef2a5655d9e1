"""Files of a script as texts: read whole or refused, and saved over what was seen alone."""

import pytest

from scripts_app.files import store, text_files
from scripts_app.files.text_files import NoText, TextConflict
from scripts_app.models import Script
from scripts_app.validation import ScriptError
from tempo_site.lib import paths
from tests.factories import make_script

pytestmark = pytest.mark.django_db


@pytest.fixture
def script() -> Script:
    return make_script()


def content(script: Script, path: str) -> bytes:
    return (paths.script_files(script.slug) / path).read_bytes()


def test_a_text_comes_back_as_it_was_and_is_saved(script: Script) -> None:
    store.save(script, "a.py", ["\ufeffé = 1".encode()])
    file = text_files.read(script, "a.py")
    assert file.text == "\ufeffé = 1"
    saved = text_files.save(script, "a.py", "é = 2\r\n", based_on=file.fingerprint)
    assert (content(script, "a.py"), saved.text) == ("é = 2\n".encode(), "é = 2\n")


def test_the_line_ends_of_a_file_stay(script: Script) -> None:
    store.save(script, "a.ini", [b"[a]\r\nb = 1\r\n"])
    file = text_files.read(script, "a.ini")
    assert file.text == "[a]\nb = 1\n"
    text_files.save(script, "a.ini", "[a]\nb = 2\n", based_on=file.fingerprint)
    assert content(script, "a.ini") == b"[a]\r\nb = 2\r\n"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x89PNG\r\n", "no text in UTF-8"),
        (b"a\0b", "no text in UTF-8"),
        (b"x" * (text_files.MAX_KB * 1024 + 1), "larger than 512 KB"),
    ],
)
def test_what_a_page_cannot_hold_is_refused(script: Script, data: bytes, words: str) -> None:
    store.save(script, "a", [data])
    with pytest.raises(NoText, match=words):
        text_files.read(script, "a")
    with pytest.raises(NoText, match=words):
        text_files.save(script, "a", "x", based_on="")
    assert content(script, "a") == data


def test_a_file_that_changed_is_not_written_over(script: Script) -> None:
    store.save(script, "a", [b"one"])
    seen = text_files.read(script, "a").fingerprint
    store.save(script, "a", [b"theirs"], replace=True)
    with pytest.raises(TextConflict, match="was changed in the meantime") as conflict:
        text_files.save(script, "a", "mine", based_on=seen)
    assert content(script, "a") == b"theirs"
    assert conflict.value.current and conflict.value.current.text == "theirs"
    text_files.save(script, "a", "mine", based_on=conflict.value.current.fingerprint)
    assert content(script, "a") == b"mine"


def test_a_deleted_file_and_one_that_came_first_are_conflicts(script: Script) -> None:
    store.save(script, "a", [b"one"])
    with pytest.raises(TextConflict, match="changed"):
        text_files.save(script, "a", "mine", based_on="")
    seen = text_files.read(script, "a").fingerprint
    store.delete(script, "a")
    with pytest.raises(TextConflict, match="was deleted in the meantime"):
        text_files.save(script, "a", "mine", based_on=seen)


@pytest.mark.parametrize("path", ["../main.py", "/etc/passwd", "a/../b", ""])
def test_paths_stay_below_the_files(script: Script, path: str) -> None:
    with pytest.raises(ScriptError):
        text_files.save(script, path, "x", based_on="")


def test_a_program_stays_one(script: Script) -> None:
    store.save(script, "a.sh", [b"echo 1\n"])
    place = paths.script_files(script.slug) / "a.sh"
    place.chmod(0o755)
    text_files.save(
        script, "a.sh", "echo 2\n", based_on=text_files.read(script, "a.sh").fingerprint
    )
    assert place.stat().st_mode & 0o111 == 0o111


def test_python_files_stand_before_other_texts_above_the_editor(script: Script) -> None:
    for name in ("b.json", "photo.png", "z.py", "a.py"):
        store.save(script, name, [b""])
    store.make_folder(script, "lib.py")
    assert text_files.tabs(script) == ["a.py", "z.py", "b.json"]
    assert text_files.tabs(script, path="lib/new.py")[-1] == "lib/new.py"
