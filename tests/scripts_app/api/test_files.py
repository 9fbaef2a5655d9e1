"""Files of a script through the API."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import LazySettings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from scripts_app.files import store
from scripts_app.models import Script
from tempo_site.lib import paths
from tests.factories import make_script

FILES = "/api/v1/scripts/hello-world/files"

pytestmark = pytest.mark.django_db


@pytest.fixture
def script() -> Script:
    return make_script()


@pytest.fixture
def program(key: str, script: Script) -> Client:
    """A client with a key of full scope."""
    return Client(headers={"host": "localhost", "authorization": f"Bearer {key}"})


def upload(client: Client, *files: tuple[str, bytes], **fields: str) -> tuple[int, Any]:
    """Send files as a form; returns status and decoded answer."""
    sent = [SimpleUploadedFile(name, content) for name, content in files]
    response = client.post(FILES, {"file": sent, **fields})
    return response.status_code, json.loads(response.content)


def test_files_are_uploaded_listed_downloaded_and_deleted(program: Client) -> None:
    assert upload(program, ("a.csv", b"1"), ("b.csv", b"22"), folder="data") == (
        201,
        {"paths": ["data/a.csv", "data/b.csv"]},
    )
    items = program.get(f"{FILES}?folder=data").json()["items"]
    assert [(item["path"], item["kind"], item["size_bytes"]) for item in items] == [
        ("data/a.csv", "file", 1),
        ("data/b.csv", "file", 2),
    ]
    assert b"".join(program.get(f"{FILES}/data/b.csv")) == b"22"
    assert program.delete(f"{FILES}/data").status_code == 422
    assert program.delete(f"{FILES}/data?recursive=true").status_code == 204
    assert program.get(FILES).json() == {"items": [], "next_cursor": None}


def test_a_download_is_never_a_page(program: Client, script: Script) -> None:
    store.save(script, 'x"<b>.html', [b"<script>alert(1)</script>"])
    response = program.get(f"{FILES}/x%22%3Cb%3E.html")
    assert response.headers["Content-Disposition"] == 'attachment; filename="x\\"<b>.html"'
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Length"] == "25"
    assert "sandbox" in response.headers["Content-Security-Policy"]


def test_a_folder_alone_is_made(program: Client) -> None:
    assert upload(program, folder="a/b")[0] == 201
    assert program.get(f"{FILES}?folder=a").json()["items"][0]["path"] == "a/b"


def test_a_name_that_is_taken_is_refused_unless_it_is_to_be_replaced(program: Client) -> None:
    upload(program, ("a", b"1"))
    status, answer = upload(program, ("a", b"2"))
    assert (status, list(answer["error"]["fields"])) == (422, ["path"])
    assert upload(program, ("a", b"2"), replace="true")[0] == 201


def test_a_file_that_is_too_large_is_refused(program: Client, settings: LazySettings) -> None:
    settings.MAX_UPLOAD_MB = 1
    status, answer = upload(program, ("a", b"x" * (2**20 + 1)))
    assert (status, "larger than 1 MB" in answer["error"]["message"]) == (422, True)


@pytest.mark.parametrize(
    "path", ["..%2f..%2fsecret_key", "%2e%2e/main.py", "a%00b", "nothing", "%ff"]
)
def test_what_lies_elsewhere_is_not_there(program: Client, path: str) -> None:
    assert program.get(f"{FILES}/{path}").status_code in (404, 422)
    assert program.delete(f"{FILES}/{path}").status_code in (404, 422)
    assert program.get(f"{FILES}?folder={path}").status_code in (404, 422)


def test_an_upload_of_nothing_is_refused(program: Client) -> None:
    assert upload(program)[0] == 422
    assert program.post(FILES, "{}", content_type="application/json").status_code == 415


def test_a_file_whose_name_has_a_line_break_is_read_and_deleted(
    program: Client, script: Script
) -> None:
    store.save(script, "notes.txt", [b"1"])
    files = paths.script_files(script.slug)
    (files / "notes.txt").rename(files / "a\nb")
    (item,) = program.get(FILES).json()["items"]
    address = f"{FILES}/{quote(item['path'])}"
    assert b"".join(program.get(address)) == b"1"
    assert program.delete(address).status_code == 204
    assert program.get(FILES).json()["items"] == []
