"""An export as a zip that is made while it is sent: nothing of it lies on a disk, and little in memory."""

import io
import zipfile
from collections.abc import AsyncIterator, Iterator
from typing import Any

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse

from scripts_app.exchange import exporting
from scripts_app.exchange.exporting import Export

EPOCH = (1980, 1, 1, 0, 0, 0)  # a zip knows no earlier moment
MODE = 0o100644 << 16


class _Pipe(io.RawIOBase):
    # What the zip wrote since it was last asked.
    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._written += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken


def chunks(export: Export) -> Iterator[bytes]:
    """Yield the zip; equal exports give equal bytes. Raise ScriptError, OSError."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w") as archive:
        for entry, content in exporting.present(export):
            info = zipfile.ZipInfo(entry.path, EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = MODE
            with archive.open(info, "w") as file:
                for data in content:
                    file.write(data)
                    if taken := pipe.take():
                        yield taken
    yield pipe.take()


def attachment(export: Export, *, name: str) -> StreamingHttpResponse:
    """Return a response with the zip, saved under `name`."""
    response = StreamingHttpResponse(stream(export), content_type="application/zip")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.zip"'
    return response


async def stream(export: Export) -> AsyncIterator[bytes]:
    """Yield the zip for an answer; under ASGI Django would read a plain iterator whole."""
    following = sync_to_async(_next)
    source = chunks(export)
    while data := await following(source):
        yield data


def _next(source: Iterator[bytes]) -> bytes:
    return next(source, b"")
