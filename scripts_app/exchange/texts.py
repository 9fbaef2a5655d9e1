"""Texts of an import, which may be no texts at all."""

import json
from pathlib import Path
from typing import Any

from scripts_app.exchange.items import ExchangeError
from scripts_app.validation import MAX_TEXT_BYTES

MAX_LIST_BYTES = 20 * 2**20


def read_text(path: Path, *, max_bytes: int = MAX_TEXT_BYTES) -> str:
    """Return the text of a file. Raise ExchangeError."""
    if path.stat().st_size > max_bytes:
        raise ExchangeError(f"`{path.name}` has more than {max_bytes // 2**20} MB")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ExchangeError(f"`{path.name}` is no text in UTF-8") from None


def read_json(text: str) -> Any:
    """Return what a text says in JSON, or None when it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
