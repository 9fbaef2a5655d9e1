"""The moment of a restore: what was unpacked takes the place of the present data, which is moved aside.

A journal says that it has begun. From then on it only goes forward, whenever a process ends: each step looks at what is
there and may be done again, so the next start finishes it. Before the journal is there nothing has happened.
"""

import json
import os
import re
import shutil
from pathlib import Path

from tempo_site.lib import files, paths

FOLDER, NEW, JOURNAL = "restore", "new", "journal.json"
ASIDE = "before-restore-"  # begins the name of the folder for the data of before
HELD = "held"
DATABASE, *LOGS = paths.DATABASE_FILES
# Read by every process that starts: there is always one of these, the old one or the new one.
ALWAYS_THERE = (HELD, "secret_key", "time_zone")
WHOLE = ("scripts", "runs", "search", DATABASE)
MAX_JOURNAL_BYTES = 64 * 1024
_ESCAPED = re.compile(rb"\\([0-7]{3})")  # a space, as the kernel writes it


class CannotReplace(Exception):
    """Why a restore cannot go on; for people."""


def new_folder(data: Path) -> Path:
    """Return an empty folder for what is unpacked. Raise CannotReplace while a restore is being finished."""
    if is_begun(data):
        raise CannotReplace("Another restore has begun.\nhint: start Tempo, which finishes it")
    shutil.rmtree(data / FOLDER, ignore_errors=True)
    new = data / FOLDER / NEW
    new.mkdir(mode=0o700, parents=True)
    return new


def is_under_way(data: Path) -> bool:
    """Return whether a backup is being unpacked or put in its place: what runs now would go aside with the old data."""
    return (data / FOLDER).exists()


def give_up(data: Path) -> None:
    """Remove what was unpacked of a restore that has not begun."""
    if not is_begun(data):
        shutil.rmtree(data / FOLDER, ignore_errors=True)


def is_begun(data: Path) -> bool:
    return (data / FOLDER / JOURNAL).exists()


def refuse_mounts(data: Path) -> None:
    """Raise CannotReplace where a part of the data folder is mounted by itself, as a whole or somewhere below.

    Such a part cannot be moved; a mount below it would go aside with the old data, and come back over the new.
    """
    parts = [data.resolve() / name for name in (*WHOLE, *LOGS, *ALWAYS_THERE)]
    for mount in _mount_points():
        if any(mount.is_relative_to(part) for part in parts):
            raise CannotReplace(
                f"`{mount}` is mounted by itself, and cannot be moved aside.\n"
                "hint: unmount it for the restore, or restore into another folder with --to, and copy it from there"
            )


def _mount_points() -> list[Path]:
    """Return what this process sees mounted; `os.path.ismount` knows no folder that is bound from the same disk."""
    lines = Path("/proc/self/mountinfo").read_bytes().splitlines()
    return [Path(os.fsdecode(_ESCAPED.sub(_unescape, line.split()[4]))) for line in lines]


def _unescape(match: re.Match[bytes]) -> bytes:
    return bytes([int(match[1], 8)])


def begin(data: Path, *, aside: str) -> None:
    """Write the journal: from here on the restore happens. All that was unpacked is on the disk."""
    (data / aside).mkdir(mode=0o700)
    files.sync_folder(data)
    files.write_atomic(data / FOLDER / JOURNAL, json.dumps({"aside": aside}))


def finish(data: Path) -> None:
    """Do the steps that are left of a restore that has begun. Raise CannotReplace and OSError."""
    with files.locked_folder(data / FOLDER):
        if is_begun(data):  # nobody else has finished it meanwhile
            _finish(data)


def _finish(data: Path) -> None:
    aside = data / _aside(data)
    new = data / FOLDER / NEW
    for name in ALWAYS_THERE:
        _replace_in_place(data / name, new / name, aside / name)
    for name in LOGS:
        _move_aside(data / name, aside / name)
    for name in WHOLE:
        _replace(data / name, new / name, aside / name)
    for folder in (data, aside, new):
        files.sync_folder(folder)
    (data / FOLDER / JOURNAL).unlink()
    files.sync_folder(data / FOLDER)
    shutil.rmtree(data / FOLDER, ignore_errors=True)


def _aside(data: Path) -> str:
    content = files.read_regular(data / FOLDER / JOURNAL, max_bytes=MAX_JOURNAL_BYTES)
    try:
        aside = str(json.loads(content)["aside"])
    except (ValueError, LookupError, TypeError) as error:
        raise CannotReplace(f"`{data / FOLDER / JOURNAL}` is damaged.") from error
    if "/" in aside or not (data / aside).is_dir():
        raise CannotReplace(f"`{data / FOLDER / JOURNAL}` names no folder of the data of before.")
    return aside


def _replace_in_place(present: Path, new: Path, aside: Path) -> None:
    if not new.exists():
        return
    if present.exists() and not aside.exists():
        files.write_atomic(aside, present.read_bytes())
    new.replace(present)
    files.sync_folder(present.parent)


def _move_aside(present: Path, aside: Path) -> None:
    if os.path.lexists(present) and not os.path.lexists(aside):
        present.rename(aside)


def _replace(present: Path, new: Path, aside: Path) -> None:
    # Without `new` it is in its place already: what is there now must stay.
    if not os.path.lexists(new):
        return
    _move_aside(present, aside)
    new.rename(present)
