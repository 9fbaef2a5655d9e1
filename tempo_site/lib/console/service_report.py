"""What the running service alone sees, told to commands by a file: `run/service.json` in the data folder."""

import contextlib
import json
import threading
from typing import Any

from tempo_site.lib import files, paths

MAX_BYTES = 64 * 1024

_lock = threading.Lock()
_told: dict[str, Any] = {}


def tell(name: str, value: Any) -> None:
    """Write a fact down, where it is another one than before. A disk that takes nothing is told elsewhere."""
    with _lock:
        if _told.get(name) == value:
            return
        _told[name] = value
        with contextlib.suppress(OSError):
            files.write_atomic(paths.service_report(), json.dumps(_told), durable=False)


def read() -> dict[str, Any]:
    """Return what the service told last, also one that has ended; nothing where there is no report."""
    try:
        told = json.loads(files.read_regular(paths.service_report(), max_bytes=MAX_BYTES))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}
