"""Clearing up behind runners that died with their launcher: their scripts carry the folder in the environment."""

import os

from runs_app.launcher import folders, locks, procs, tree

_VARIABLE = "TEMPO_RUN_FOLDER"
_PASSES = 100


def clear(runs_path: str) -> list[str]:
    """Kill every process of a run below `runs_path` whose runner is dead; the folders whose runner lives."""
    living: list[str] = []
    for _ in range(_PASSES):
        found = _by_folder(runs_path)
        living = [folder for folder in found if locks.probe(os.path.join(runs_path, folder))]
        if len(living) == len(found):
            break
        tree.kill(lambda: _orphans(runs_path))
    return living


def _orphans(runs_path: str) -> set[int]:
    found = _by_folder(runs_path)
    dead = [folder for folder in found if not locks.probe(os.path.join(runs_path, folder))]
    return {pid for folder in dead for pid in found[folder]}


def _by_folder(runs_path: str) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for pid in procs.table():
        value = procs.environment_value(pid, _VARIABLE)
        if value and pid != os.getpid():
            folder = os.path.relpath(value, runs_path)
            if folders.is_name(folder):
                found.setdefault(folder, set()).add(pid)
    return found
