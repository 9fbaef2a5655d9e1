"""Responses that a browser stores and never shows: a file of a script must not act as a page of Tempo."""

import os
import unicodedata
from pathlib import Path
from typing import BinaryIO

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header

from scripts_app.files import store


def attachment_of(path: Path) -> StreamingHttpResponse:
    """Return a response with a file of Tempo's own, under its name."""
    return attachment(path.open("rb"), name=path.name)


def attachment(file: BinaryIO, *, name: str) -> StreamingHttpResponse:
    """Return a response with an open file, saved under the last part of the path `name`."""
    response = StreamingHttpResponse(store.stream(file), content_type="application/octet-stream")
    disposition = content_disposition_header(True, _safe_name(name))
    response.headers["Content-Length"] = str(os.fstat(file.fileno()).st_size)
    response.headers["Content-Disposition"] = disposition or "attachment"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


def _safe_name(path: str) -> str:
    # Without characters that would break a header or change the direction of writing.
    name = path.rpartition("/")[2]
    for character in set(name):
        if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp"):
            name = name.replace(character, "_")
    return name
