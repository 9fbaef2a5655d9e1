"""A disk without room in the middle of an export or an import: said in words, and nothing half is left."""

import io
import os
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import IntegrityError, OperationalError
from django.test import Client

from scripts_app.exchange import placing
from scripts_app.files import store
from scripts_app.models import Script, UnplacedFiles
from scripts_app.versions import versions, working_copy
from tempo_site.lib import paths
from tempo_site.models import AuditEntry
from tests.factories import make_script
from tests.mounts import small_disk
from tests.scripts_app.exchange.test_unpack import zipped

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a small disk"),
]
MB = 2**20
NOISE = random.Random(1).randbytes(3 * MB)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 1) as disk:
        yield disk


@pytest.fixture
def full_imports(disk: Path) -> Path:
    """Imports are taken in on a disk of 1 MB."""
    paths.imports().symlink_to(disk)
    return disk


@pytest.mark.parametrize(
    "data", [zipped("a.py", data=NOISE), zipped("a.py", data=NOISE[:1000] * 3000)]
)
@pytest.mark.parametrize("door", ["api", "page"])
def test_nothing_is_imported(
    program: Client, browser: Client, full_imports: Path, data: bytes, door: str
) -> None:
    """The disk is full while the upload is kept, and while it is unpacked."""
    client, address = {
        "api": (program, "/api/v1/import"),
        "page": (browser, "/import/"),
    }[door]
    client.raise_request_exception = False
    response = client.post(address, {"file": SimpleUploadedFile("a.zip", data)})
    assert response.status_code == 507 and b"is full" in response.content
    assert list(full_imports.iterdir()) == [] and not Script.objects.exists()


def test_the_command_says_it_as_well(full_imports: Path, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"#" * 3 * MB)
    with pytest.raises(CommandError, match=r"Nothing was imported.*is full"):
        call_command("import", str(tmp_path / "a.py"))
    assert list(full_imports.iterdir()) == [] and not Script.objects.exists()


@pytest.mark.parametrize("door", ["api", "page", "command"])
def test_a_disk_that_is_full_when_all_is_to_be_stored(
    program: Client, browser: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, door: str
) -> None:
    """The last statement fails, as a commit does without room."""
    (tmp_path / "a.py").write_text("print(1)\n")
    monkeypatch.setattr(UnplacedFiles.objects, "create", Mock(side_effect=full_database()))
    if door == "command":
        with pytest.raises(CommandError, match=r"Nothing was imported.*is full"):
            call_command("import", str(tmp_path / "a.py"))
    else:
        client = program if door == "api" else browser
        response = hand_in(client, tmp_path / "a.py", door=door)
        assert response.status_code == 507 and b"is full" in response.content
    assert not Script.objects.exists() and not AuditEntry.objects.filter(verb="imported").exists()
    assert not list(paths.scripts().iterdir())


def full_database() -> OperationalError:
    """What Django raises when SQLite has no room."""
    database = sqlite3.connect(":memory:")
    database.execute("PRAGMA max_page_count=2")
    problem = OperationalError()
    try:
        database.execute("CREATE TABLE a AS SELECT hex(randomblob(20000))")
    except sqlite3.OperationalError as error:
        problem.__cause__ = error
    database.close()
    return problem


def hand_in(client: Client, path: Path, *, door: str = "api") -> Any:
    """Import a file by the API, or by the page and its preview."""
    client.raise_request_exception = False
    file = SimpleUploadedFile(path.name, path.read_bytes())
    if door == "api":
        return client.post("/api/v1/import", {"file": file})
    preview = client.post("/import/", {"file": file})
    return client.post(preview.headers["Location"], {"act": "import"})


def test_what_was_removed_meanwhile_refuses_all(
    program: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(UnplacedFiles.objects, "create", Mock(side_effect=IntegrityError()))
    (tmp_path / "a.py").write_text("print(1)\n")
    response = hand_in(program, tmp_path / "a.py")
    assert response.status_code == 422
    assert response.json()["error"]["message"] == "Something that it needs was removed meanwhile"
    assert not Script.objects.exists() and list(paths.imports().iterdir()) == []


@pytest.mark.parametrize(
    ("name", "options"), [("export", []), ("export.zip", []), ("a.git", ["--git"])]
)
def test_an_export_is_whole_or_not_there(disk: Path, name: str, options: list[str]) -> None:
    script = make_script("A", code=f"# {NOISE[: MB // 3].hex()}\n")
    store.save(script, "data.bin", [NOISE[:MB]])
    for number in range(3):
        make_script(f"B {number}", code=f"# {NOISE[MB * number :][: MB // 3].hex()}\n")
    with pytest.raises(CommandError, match=r"No space left|disk"):
        call_command("export", str(disk / name), *options)
    assert list(disk.iterdir()) == []


def test_files_that_cannot_be_placed_yet_are_told_and_come_later(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Callable[..., AbstractContextManager[Any]],
) -> None:
    """All is stored, and then there is room for no file."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "main.py").write_text("print(1)\n")
    (tmp_path / "a" / "data.csv").write_text("1")

    told = io.StringIO()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(store, "place", full)
        patched.setattr(working_copy, "write", full)
        with django_capture_on_commit_callbacks(execute=True):
            call_command("import", str(tmp_path / "a"), stdout=io.StringIO(), stderr=told)
    assert "could not be put in place yet" in told.getvalue()
    placing.finish_all()
    versions.write_missing_copies()
    (script,) = Script.objects.all()
    assert script.slug == "a", "it has the name of its folder"
    assert (paths.script(script.slug) / "main.py").read_text() == "print(1)\n"
    assert (paths.script_files(script.slug) / "data.csv").read_text() == "1"
    assert not UnplacedFiles.objects.exists()
