"""Files between people and a script, through the whole of Tempo: uploaded, imported, changed by a run, downloaded."""

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service import TOKEN, Service

pytestmark = pytest.mark.slow

MB = 2**20
MAX_MB = 31
BOUNDARY = "tempo-test-boundary"
CODE = """
import pathlib
import helper
text = pathlib.Path("data/input.csv").read_text()
pathlib.Path("data/input.csv").write_text(text + helper.LINE)
pathlib.Path("data/made-by-run").mkdir()
pathlib.Path(__file__).with_name("state.json").write_text("beside")
pathlib.Path("data/made-by-run/output.csv").write_text("out")
print(pathlib.Path("large").stat().st_size)
"""


def send(service: Service, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    """Call the API with bytes; returns status and answer."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    try:
        connection.request(
            method, f"/api/v1{path}", body, {"X-API-Key": TOKEN, "Content-Type": kind}
        )
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def upload(service: Service, slug: str, name: str, content: bytes, *, folder: str = "") -> int:
    """Upload a file as a browser or curl would; returns the status."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="folder"\r\n\r\n{folder}\r\n'.encode()
    ]
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    parts += [head.encode(), content, f"\r\n--{BOUNDARY}--\r\n".encode()]
    return send(service, "POST", f"/scripts/{slug}/files", b"".join(parts))[0]


@pytest.fixture(scope="module")
def service(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One Tempo for both, that takes files of a little more than what is sent to it."""
    folder = tmp_path_factory.mktemp("files") / "service"
    with Service.copy_of(prepared, folder, PYSCHED_MAX_UPLOAD_MB=str(MAX_MB)) as running:
        yield running


def test_a_script_uses_what_was_uploaded_and_people_get_and_delete_what_it_wrote(
    service: Service,
) -> None:
    slug = service.make_script("Worker", CODE)
    assert upload(service, slug, "helper.py", b"LINE = 'added'\n") == 201
    assert upload(service, slug, "input.csv", b"first,", folder="data") == 201
    assert upload(service, slug, "large", b"x" * (30 * MB)) == 201
    run = service.run(slug)
    assert run["status"] == "succeeded", service.get(f"/runs/{run['id']}/log")
    assert service.get(f"/runs/{run['id']}/log") == f"{30 * MB}\n"
    files = f"/scripts/{slug}/files"
    assert send(service, "GET", f"{files}/data/input.csv") == (200, b"first,added")
    assert send(service, "GET", f"{files}/data/made-by-run/output.csv") == (200, b"out")
    assert send(service, "GET", f"{files}/state.json") == (200, b"beside")
    assert upload(service, slug, "more", b"1", folder="data/made-by-run") == 201
    assert send(service, "DELETE", f"{files}/data?recursive=true")[0] == 204
    assert len(send(service, "GET", f"{files}/large")[1]) == 30 * MB


def test_an_upload_beyond_the_ceiling_is_refused_before_it_is_stored(service: Service) -> None:
    slug = service.make_script("Worker", "print(1)")
    assert upload(service, slug, "large", b"x" * (MAX_MB * MB)) == 201
    assert upload(service, slug, "larger", b"x" * (MAX_MB * MB + 1)) == 422
    assert upload(service, slug, "huge", b"x" * ((MAX_MB + 2) * MB)) == 413
    assert [item["name"] for item in service.get(f"/scripts/{slug}/files")["items"]] == ["large"]
