"""Putting a backup back: looked at, unpacked beside the present data, then in its place in one journaled move."""

import contextlib
import fcntl
import os
import platform
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connections
from django.views.decorators.debug import sensitive_variables

from tempo_site.backups import program, replacing, versions
from tempo_site.backups.holds import Hold
from tempo_site.backups.program import BackupFailed, ProgramStart
from tempo_site.lib import files

IN_USE = "Tempo runs on this data folder.\nhint: stop it first, or restore on the page Backups"
NEEDED = (
    "scripts",
    "runs",
    "search",
)  # folders that take the place of the present ones, empty where need be
UPLOADED = "uploaded"
LOCKS = ("service.lock", "engine.lock")
LEFT_BY_A_TRY = ("run", replacing.FOLDER)  # the second one of a try that was killed


@dataclass(frozen=True, kw_only=True)
class Restored:
    """What was put back, and where the data of before is."""

    manifest: dict[str, Any]
    aside: Path


@sensitive_variables()
def restore(path: Path, data: Path, *, passphrase: str, now: datetime) -> Restored:
    """Put a backup in the place of the data of a Tempo that is stopped. Raise BackupFailed.

    Whenever this process ends, the data is the old one or the new one as a whole, at the latest with the next start.
    """
    connections.close_all()  # one that is closed later would remove the log of the new database
    with _in_words(), _nobody_at_work(data):
        if replacing.is_begun(data):
            replacing.finish(data)
        manifest = look(path, passphrase=passphrase)
        try:
            call = prepare(path, data)
            program.run(call, passphrase=passphrase)
            aside = begin(data, path.name, manifest, now=now)
        except BaseException:
            replacing.give_up(data)
            raise
        replacing.finish(data)
        return Restored(manifest=manifest, aside=aside)


@sensitive_variables()
def look(path: Path, *, passphrase: str) -> dict[str, Any]:
    """Return the manifest of a backup that this Tempo can restore. Raise BackupFailed."""
    with _in_words():
        if not path.is_file():
            raise BackupFailed(f"There is no file `{path}`.")
    manifest = program.look(path, passphrase=passphrase)
    found = versions.newer(manifest["migrations"])
    if found:
        label, theirs, ours = found
        raise BackupFailed(
            f"It was made by a newer Tempo, {manifest['tempo']}: it has {label} {theirs}, and this is Tempo "
            f"{settings.VERSION}, which ends with {ours}.\nhint: restore it with Tempo {manifest['tempo']} or newer"
        )
    return manifest


def prepare(path: Path, data: Path) -> ProgramStart:
    """Return the call that unpacks a backup beside the present data. Raise CannotReplace."""
    replacing.refuse_mounts(data)
    return program.unpacking(path, replacing.new_folder(data))


def begin(data: Path, name: str, manifest: dict[str, Any], *, now: datetime) -> Path:
    """Complete what was unpacked, and write the journal: from now on the restore happens.

    Return the folder for the data of before.
    """
    new = data / replacing.FOLDER / replacing.NEW
    aside = f"{replacing.ASIDE}{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    for folder in NEEDED:
        (new / folder).mkdir(mode=0o700, exist_ok=True)
    for script in (new / "scripts").iterdir():
        # Their owners are users of the other machine: the launcher gives them to the script's user with its next run.
        if (script / "files").is_dir():
            (script / UPLOADED).touch(mode=0o600)
    hold = Hold(
        backup=name,
        made_at=str(manifest["created_at"]),
        restored_at=now.isoformat(timespec="seconds"),
        aside=aside,
        has_secret_key=bool(manifest["has_secret_key"]),
    )
    files.write_atomic(new / replacing.HELD, hold.encode())
    os.sync()
    replacing.begin(data, aside=aside)
    return data / aside


def is_new(data: Path) -> bool:
    """Return whether nothing is in a folder but what a restore that failed has left. Raise BackupFailed."""
    with _in_words():
        return not data.is_dir() or all(left.name in LEFT_BY_A_TRY for left in data.iterdir())


def present(data: Path) -> str:
    """Return what would be moved aside, as a sentence; "" where there is nothing."""
    path = data / replacing.DATABASE
    if not path.exists():
        return ""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            scripts = database.execute("SELECT count(*) FROM scripts_app_script").fetchone()[0]
            runs = database.execute("SELECT count(*) FROM runs_app_run").fetchone()[0]
    except sqlite3.Error:
        return f"The data in {data}, whose database cannot be read."
    return f"The data in {data}: {scripts} scripts, {runs} runs."


def other_machine(manifest: dict[str, Any]) -> str:
    """Return what to expect of a backup that another kind of machine made, as a sentence; "" of one like this."""
    theirs, ours = str(manifest.get("machine", "")), platform.machine()
    if theirs in ("", ours):
        return ""
    return (
        f"It was made on another kind of machine ({theirs[:40]}; this one is {ours}): a package that has no files for "
        f"{ours} in its version cannot be built here, which the page Environments says."
    )


@contextmanager
def _nobody_at_work(data: Path) -> Iterator[None]:
    bells = data / "run"
    made = [folder for folder in (bells, data, *data.parents) if not folder.exists()]
    locks = []
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        bells.mkdir(mode=0o700, exist_ok=True)
        for name in LOCKS:
            locks.append(
                os.open(bells / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            )
            fcntl.flock(locks[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise BackupFailed(IN_USE) from None
    except BaseException:
        if not replacing.is_begun(data):
            _remove_made(made, bells)  # while the locks are held
        raise
    finally:
        for lock in locks:
            os.close(lock)


def _remove_made(folders: list[Path], bells: Path) -> None:
    # One that is not empty any more belongs to somebody else, and so do those above it.
    with contextlib.suppress(OSError):
        if bells in folders:
            for name in LOCKS:
                (bells / name).unlink(missing_ok=True)
        for folder in folders:
            folder.rmdir()


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except replacing.CannotReplace as error:
        raise BackupFailed(str(error)) from error
    except BlockingIOError:
        raise
    except OSError as error:
        raise BackupFailed(f"{error.strerror} ({error.filename}).") from error
