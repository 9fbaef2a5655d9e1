"""What a script writes comes back byte for byte, whatever it writes."""

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service import TOKEN, Service

pytestmark = pytest.mark.slow

LONG = 5 * 2**20
SAMPLES = {
    "a line of 5 MB": (f"b'a' * {LONG} + b'\\n' + b'next\\n'", b"a" * LONG + b"\nnext\n"),
    "5 MB without a newline": (
        f"b'0123456789abcdef' * {LONG // 16}",
        b"0123456789abcdef" * (LONG // 16),
    ),
    "invalid UTF-8": (
        r"b'\xff\xfe caf\xe9 \xf0\x28\x8c\x28\n\xc3'",
        b"\xff\xfe caf\xe9 \xf0\x28\x8c\x28\n\xc3",
    ),
    "NULs": (r"b'\0\0a\0\n\0\n'", b"\0\0a\0\n\0\n"),
    "no newline at the end": ("b'first\\nlast'", b"first\nlast"),
    "only newlines": (r"b'\n' * 5000", b"\n" * 5000),
    "carriage returns": (r"b'10%\r20%\r\n100%\r'", b"10%\r20%\r\n100%\r"),
    "what looks like a stored record": (
        r"b'1 S F Cancelled\n2 O P x'",
        b"1 S F Cancelled\n2 O P x",
    ),
    "every byte": ("bytes(range(256)) * 100", bytes(range(256)) * 100),
    "nothing": ("b''", b""),
}
BOTH = """
import os
os.write(1, b"out 1\\n")
os.write(2, b"err \\xff 1\\n")
os.write(2, b"err 2, no newline")
os.write(1, b"out 2, no newline")
"""


@pytest.fixture(scope="module")
def running(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One Tempo for all tests of this module."""
    with Service.copy_of(prepared, tmp_path_factory.mktemp("bytes") / "service") as service:
        yield service


def content(service: Service, path: str) -> bytes:
    """The bytes of an API answer."""
    request = urllib.request.Request(f"{service.url}/api/v1{path}", headers={"X-API-Key": TOKEN})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return bytes(answer.read())


def stored(service: Service, run_id: int) -> list[tuple[bytes, bytes, bytes]]:
    """(stream, kind, text) of each record, as a page that polls gets them."""
    data, offset = b"", 0
    while slice_ := content(service, f"/runs/{run_id}/output?offset={offset}").partition(b"\n")[2]:
        data, offset = data + slice_, offset + len(slice_)
    records = [record.split(b" ", 3) for record in data.split(b"\n")[:-1]]
    return [(stream, kind, text) for _, stream, kind, text in records]


@pytest.mark.parametrize("name", SAMPLES)
def test_the_log_is_exactly_what_was_written(running: Service, name: str) -> None:
    expression, expected = SAMPLES[name]
    code = f"import sys\nsys.stdout.buffer.write({expression})\n"
    run = running.run(running.make_script("Bytes", code))
    log = content(running, f"/runs/{run['id']}/log")
    assert len(log) == len(expected)
    assert log == expected
    assert run["output_bytes"] == len(expected)


def test_both_streams_are_kept_and_marked_apart(running: Service) -> None:
    run_id = running.run(running.make_script("Both", BOTH))["id"]
    records = stored(running, run_id)
    texts = {
        stream: [(kind, text) for found, kind, text in records if found == stream]
        for stream in (b"O", b"E")
    }
    assert texts[b"O"] == [(b"F", b"out 1"), (b"P", b"out 2, no newline")]
    assert texts[b"E"] == [(b"F", b"err \xff 1"), (b"P", b"err 2, no newline")]


def test_no_stored_record_is_longer_than_a_slice_can_hold(running: Service) -> None:
    code = f"import sys\nsys.stdout.buffer.write(b'x' * {LONG // 5})\n"
    records = stored(running, running.run(running.make_script("Long", code))["id"])
    assert max(len(text) for _, _, text in records) == 16 * 1024
    assert b"".join(text for _, _, text in records) == b"x" * (LONG // 5)
