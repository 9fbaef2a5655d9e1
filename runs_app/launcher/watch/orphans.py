"""Ending the scripts of runners that died together with the launcher."""

# A script carries its run folder in the environment. One that cleared its environment is still in the session that its
# run's `state.json` names. A process that cleared its environment and began a session of its own is not found: no trace
# is left of its run.

import contextlib
import os
from collections.abc import Iterator
from typing import NamedTuple

from runs_app.launcher import folders, locks
from runs_app.launcher.watch import procfs, tree, verdict

_VARIABLE = "TEMPO_RUN_FOLDER"
_PASSES = 100


class Session(NamedTuple):
    folder: str
    start_ticks: int  # when the script was started: an older process is none of the session's


Sessions = dict[int, Session]


def clear(runs_path: str) -> list[str]:
    """Kill all processes of dead runners' runs below `runs_path`; return the folders of living runners."""
    sessions = _recorded_sessions(runs_path) if _is_any_in_doubt() else {}
    living: list[str] = []
    for _ in range(_PASSES):
        folders_found = list(_pids_by_folder(runs_path, sessions))
        living = [folder for folder in folders_found if _has_runner(runs_path, folder)]
        if len(living) == len(folders_found):
            break
        tree.kill(lambda: _orphans(runs_path, sessions))
    return living


def _orphans(runs_path: str, sessions: Sessions) -> set[int]:
    pids: set[int] = set()
    for folder, pids_of_run in _pids_by_folder(runs_path, sessions).items():
        if not _has_runner(runs_path, folder):
            pids |= pids_of_run
    return pids


def _has_runner(runs_path: str, folder: str) -> bool:
    # A folder that cannot be looked at may have one: its processes are left alone.
    try:
        runs_fd = folders.open_path(runs_path)
        try:
            folder_fd = folders.open_run(runs_fd, folder)
        finally:
            os.close(runs_fd)
        try:
            return locks.probe(folder_fd)
        finally:
            os.close(folder_fd)
    except folders.FolderError as error:
        return not folders.is_missing(error)
    except OSError:
        return True


def _pids_by_folder(runs_path: str, sessions: Sessions) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for pid, process in procfs.table().items():
        folder = _folder_by_environment(pid, runs_path) or _folder_by_session(process, sessions)
        if folder and pid != os.getpid():
            found.setdefault(folder, set()).add(pid)
    return found


def _folder_by_environment(pid: int, runs_path: str) -> str | None:
    value = procfs.environment_value(pid, _VARIABLE)
    if not value:
        return None
    folder = os.path.relpath(value, runs_path)
    return folder if folders.is_name(folder) else None


def _folder_by_session(process: procfs.Process, sessions: Sessions) -> str | None:
    session = sessions.get(process.session)
    if session is None or process.start_ticks < session.start_ticks:
        return None
    # A dead script's number may have passed on to another process, which then leads a session of its own.
    is_same_leader = procfs.start_time(process.session) in (None, session.start_ticks)
    if is_same_leader and procfs.has_no_new_privileges(process.pid):
        return session.folder
    return None


def _is_any_in_doubt() -> bool:
    # Opening every run folder is worth its time only if a script may have cleared its environment.
    return any(
        procfs.has_no_new_privileges(pid) and procfs.environment_value(pid, _VARIABLE) is None
        for pid in procfs.table()
    )


def _recorded_sessions(runs_path: str) -> Sessions:
    # Of runs without a verdict that began since the last boot.
    boot_id = procfs.boot_id()
    sessions: Sessions = {}
    runs_fd = folders.open_path(runs_path)
    try:
        for folder in _unfinished(runs_fd):
            state = _state(runs_fd, folder)
            if state.get("boot_id") != boot_id:
                continue
            pid, start = state.get("script_pid"), state.get("script_start")
            if isinstance(pid, int) and pid > 1 and isinstance(start, int):
                sessions[pid] = Session(folder, start)
    finally:
        os.close(runs_fd)
    return sessions


def _unfinished(runs_fd: int) -> Iterator[str]:
    # Folders of archived runs have neither `state.json` nor `exit.json`. A long history has a hundred thousand of them:
    # each is asked for one file, and from its month on. What cannot be opened is a file, or was removed a moment ago.
    for month in os.listdir(runs_fd):
        with contextlib.suppress(OSError):
            month_fd = folders.open_directory(month, dir_fd=runs_fd)
            try:
                for name in os.listdir(month_fd):
                    if _has_no_verdict(name, month_fd):
                        yield f"{month}/{name}"
            finally:
                os.close(month_fd)


def _has_no_verdict(name: str, month_fd: int) -> bool:
    if not _exists(f"{name}/{verdict.STATE}", month_fd):
        return False
    return not _exists(f"{name}/{verdict.EXIT}", month_fd)


def _exists(path: str, dir_fd: int) -> bool:
    try:
        os.stat(path, dir_fd=dir_fd)
    except OSError:
        return False
    return True


def _state(runs_fd: int, folder: str) -> dict[str, object]:
    try:
        folder_fd = folders.open_run(runs_fd, folder)
    except folders.FolderError:  # no folder of ours, or removed a moment ago
        return {}
    try:
        return verdict.read_state(folder_fd)
    finally:
        os.close(folder_fd)
