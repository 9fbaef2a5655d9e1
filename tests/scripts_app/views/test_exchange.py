"""The page that exports scripts and takes them in, and the preview of an import."""

import io
import zipfile
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from scripts_app import scripts
from scripts_app.models import Schedule, Script
from tempo_site.lib import paths
from tests.factories import NOW, make_schedule, make_script

pytestmark = pytest.mark.django_db


@pytest.fixture
def export(browser: Client) -> bytes:
    """The export of two scripts, as the page gives it; one of them has changed since."""
    script = make_script("A <b>", folder="Ops")
    make_schedule(script, kind=Schedule.Kind.CRON, cron="30 2 * * *")
    make_script("B")
    data = b"".join(browser.get("/export/"))
    scripts.update(script, by=None, now=NOW, code="print('here')\n")
    Script.objects.filter(slug="b").update(slug="gone")
    return data


def handed_in(browser: Client, data: bytes, name: str = "scripts.zip", **fields: Any) -> Any:
    return browser.post("/import/", {"file": SimpleUploadedFile(name, data), **fields})


def test_it_says_what_each_becomes_and_makes_what_was_chosen(
    browser: Client, export: bytes
) -> None:
    address = handed_in(browser, export).headers["Location"]
    shown = browser.get(address).content.decode()
    assert "A &lt;b&gt;" in shown and "The script here stays as it is; other: code" in shown
    assert Script.objects.count() == 2
    chosen = {"act": "import", "choice-a-b": "copy", "choice-b": "leave", "switch-on": "1"}
    answer = browser.post(address, chosen)
    assert answer.headers["Location"] == "/scripts/"
    copy = Script.objects.get(slug="a-b-copy")
    assert str(copy.folder) == "Ops" and copy.schedules.get().enabled
    assert Script.objects.count() == 3 and list(paths.imports().iterdir()) == []


def test_schedules_are_off_unless_it_is_ticked(browser: Client, export: bytes) -> None:
    Script.objects.filter(slug="a-b").update(slug="away")
    address = handed_in(browser, export).headers["Location"]
    browser.post(address, {"act": "import"})
    assert not Schedule.objects.get(script__slug="a-b").enabled


def test_another_person_does_not_find_it(browser: Client, export: bytes, staff: User) -> None:
    address = handed_in(browser, export).headers["Location"]
    browser.force_login(staff)
    assert browser.get(address).headers["Location"] == "/import/"
    assert browser.get("/import/nonsense/").headers["Location"] == "/import/"


def test_what_holds_no_script_is_said_at_once(browser: Client) -> None:
    shown = handed_in(browser, b"hello", "notes.txt").content.decode()
    assert "There is no script in it" in shown
    assert browser.post("/import/").status_code == 200
    assert list(paths.imports().iterdir()) == []


def test_a_folder_keeps_its_shape(browser: Client) -> None:
    files = [SimpleUploadedFile(name, b"print(1)\n") for name in ("main.py", "script.toml")]
    files[1] = SimpleUploadedFile("script.toml", b'name = "Deep"\n')
    sent = {"file": files, "path": ["tree/deep/main.py", "tree/deep/script.toml"]}
    address = browser.post("/import/", sent).headers["Location"]
    assert "Deep" in browser.get(address).content.decode()


def test_one_script_and_one_folder_are_exported(browser: Client, export: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(b"".join(browser.get("/export/?folder=Ops")))) as archive:
        assert "scripts/Ops/a-b/main.py" in archive.namelist()
    assert browser.get("/export/?script=nothing").status_code == 404
    assert browser.get("/export/?script=a%00b").status_code == 404


def test_it_is_closed_to_strangers(client: Client) -> None:
    for address in ("/import/", "/export/", "/import/x/"):
        assert client.get(address).headers["Location"].startswith("/login/")
