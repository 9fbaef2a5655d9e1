"""Answers that a browser stores and never shows: what a script has written must not act as a page of Tempo's."""

import os
import unicodedata
from typing import BinaryIO

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header

from scripts_app.files import store


def attachment(file: BinaryIO, *, name: str) -> StreamingHttpResponse:
    """Send an open file, whatever it is; `name` is its path, of which the last part is proposed."""
    response = StreamingHttpResponse(store.stream(file), content_type="application/octet-stream")
    response.headers["Content-Length"] = str(os.fstat(file.fileno()).st_size)
    response.headers["Content-Disposition"] = (
        content_disposition_header(True, _harmless(name)) or "attachment"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


def _harmless(path: str) -> str:
    """A name without what would break a header or turn its letters around."""
    name = path.rpartition("/")[2]
    return "".join(
        "_" if unicodedata.category(letter) in ("Cc", "Cf", "Zl", "Zp") else letter
        for letter in name
    )
