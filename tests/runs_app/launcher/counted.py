"""The launcher, which also notes its calls and those of its runners in the file `COUNTED_FILE`.

A line is a kind of call and what it was for: `sync`, `make` where a file or folder may be new, and `open`; `start-open`
in the process of a script before its program. `calls-to-fork` and `calls-to-exec` are how many functions, of C too,
a runner has called before it forks that process, and the process before its program.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[3]))

from runs_app.launcher import server
from runs_app.launcher.identity import prctl
from runs_app.launcher.watch import supervision

FILE = os.environ["COUNTED_FILE"]
_open, _fsync, _fdatasync = os.open, os.fsync, os.fdatasync
_begin = prctl.Program.begin
_RUNNER, _SCRIPT = 1, 2  # forks from the launcher
_is_noting = False
_forks = _calls = 0


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
        kind = "make" if flags & os.O_CREAT else "open"
        note(f"start-{kind}" if _forks == _SCRIPT else kind, path)
    elif event == "os.mkdir":
        note("make", arguments[0])


def noting(sync: Callable[[int], None]) -> Callable[[int], None]:
    def noted(fd: int) -> None:
        note("sync", Path(f"/proc/self/fd/{fd}").readlink().name)
        sync(fd)

    return noted


def count_call(_frame: object, event: str, _argument: object) -> None:
    global _calls
    _calls += event in ("call", "c_call")


def begin_to_count() -> None:
    global _forks, _calls
    _forks += 1
    _calls = 0
    sys.setprofile(count_call)


def note_calls_to_fork() -> None:
    if _forks == _RUNNER:
        note("calls-to-fork", _calls)


def note_calls_and_begin(program: prctl.Program) -> None:
    note("calls-to-exec", _calls)
    _begin(program)


if __name__ == "__main__":
    os.register_at_fork(before=note_calls_to_fork, after_in_child=begin_to_count)
    prctl.Program.begin = note_calls_and_begin  # type: ignore[assignment,method-assign]
    supervision._RECORD_AFTER_S = float(os.environ["COUNTED_RECORD_AFTER_S"])
    os.fsync, os.fdatasync = noting(_fsync), noting(_fdatasync)  # type: ignore[assignment]
    sys.addaudithook(hear)
    sys.exit(server.main(sys.argv[1:]))
