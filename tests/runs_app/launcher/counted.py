"""The launcher, which also notes its calls and those of its runners in the file `COUNTED_FILE`.

A line is a kind of call and what it was for: `sync`, `make` where a file or folder may be new, and `open`.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[3]))

from runs_app.launcher import server
from runs_app.launcher.watch import supervision

FILE = os.environ["COUNTED_FILE"]
_open, _fsync, _fdatasync = os.open, os.fsync, os.fdatasync
_is_noting = False


def note(kind: str, subject: object) -> None:
    global _is_noting
    _is_noting = True
    try:
        fd = _open(FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(fd, f"{kind} {subject}\n".encode())
        os.close(fd)
    finally:
        _is_noting = False


def hear(event: str, arguments: tuple[Any, ...]) -> None:
    if _is_noting:
        return
    if event == "open":
        path, _mode, flags = arguments
        note("make" if flags & os.O_CREAT else "open", path)
    elif event == "os.mkdir":
        note("make", arguments[0])


def noting(sync: Callable[[int], None]) -> Callable[[int], None]:
    def noted(fd: int) -> None:
        note("sync", Path(f"/proc/self/fd/{fd}").readlink().name)
        sync(fd)

    return noted


if __name__ == "__main__":
    supervision._RECORD_AFTER_S = float(os.environ["COUNTED_RECORD_AFTER_S"])
    os.fsync, os.fdatasync = noting(_fsync), noting(_fdatasync)  # type: ignore[assignment]
    sys.addaudithook(hear)
    sys.exit(server.main(sys.argv[1:]))
