"""For development: the web process ends when a source file changes, and the launcher starts it again."""

import logging
import os
import signal
import threading
import time
from pathlib import Path

from django.utils.autoreload import iter_all_python_module_files

logger = logging.getLogger(__name__)

POLL_S = 1.0


def end_on_change() -> None:
    threading.Thread(target=_watch_files, name="reload", daemon=True).start()


def _watch_files() -> None:
    known: dict[Path, float] = {}
    while not is_changed(known, _modified()):
        time.sleep(POLL_S)
    logger.info("a source file changed, starting again")
    os.kill(os.getpid(), signal.SIGTERM)


def is_changed(known: dict[Path, float], now: dict[Path, float]) -> bool:
    """Whether a known file has another time of change; new files become known, as modules are imported at any time."""
    changed = any(known.get(path, modified) != modified for path, modified in now.items())
    known |= now
    return changed


def _modified() -> dict[Path, float]:
    return {path: path.stat().st_mtime for path in iter_all_python_module_files() if path.exists()}
