"""Unpacking a backup into an empty folder: regular files, folders and links of known places, nothing through a link."""

import contextlib
import os
import shutil
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path

from tempo_site.backups.archive import database_copy, manifest, reading
from tempo_site.backups.archive.manifest import BackupError, Manifest

ROOM = 64 * 2**20  # left free on the disk
MAX_NAME, MAX_DEPTH = 4096, 110
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def unpack(path: Path, target: Path, *, passphrase: str, only_database: bool = False) -> Manifest:
    """Unpack a backup, sync what came of it, and return the manifest. Raise BackupError and OSError.

    With `only_database` the other members are read and compared, and not written.
    """
    with reading.opened(path, passphrase=passphrase) as backup:
        _refuse_without_room(backup.manifest, target, only_database=only_database)
        links: list[tuple[str, str]] = []
        for info, content in backup.members():
            parts = _parts(info.name)
            if only_database and info.name != manifest.DATABASE:
                for _piece in content:
                    pass
            elif info.issym():
                links.append((info.name, info.linkname))
            elif info.isdir():
                os.close(_folder(target, parts))
            elif info.isreg():
                _write(target, parts, info, content)
            else:
                raise BackupError(f"`{info.name}` is neither file, folder nor link.")
        for name, linked in links:  # last, so that nothing is written through one
            _link(target, _parts(name), linked)
    _compare_database(target / manifest.DATABASE, backup.manifest)
    os.sync()
    return backup.manifest


def _refuse_without_room(found: Manifest, target: Path, *, only_database: bool) -> None:
    needed = int(found["bytes"])
    if only_database:
        needed, _digest = manifest.members_by_name(found).get(manifest.DATABASE, (0, ""))
    free = shutil.disk_usage(target).free
    if needed + ROOM > free:
        raise BackupError(
            f"It holds {needed // 2**20} MB, and {free // 2**20} MB are free on the disk of {target}.\n"
            "hint: make room"
        )


def _parts(name: str) -> list[str]:
    parts = name.split("/")
    is_known = name in manifest.SINGLE or parts[0] in (manifest.SCRIPTS, manifest.RUNS)
    has_ways_out = any(part in ("", ".", "..") or "\0" in part for part in parts)
    if not is_known or has_ways_out or len(name) > MAX_NAME or len(parts) > MAX_DEPTH:
        raise BackupError(f"`{name[:200]}` is no place of a backup.")
    return parts


def _folder(target: Path, parts: list[str]) -> int:
    """Return a descriptor of a folder below `target`, made on the way, no link followed."""
    fd = os.open(target, _FOLDER)
    for part in parts:
        with contextlib.suppress(FileExistsError):
            os.mkdir(part, 0o700, dir_fd=fd)
        try:
            below = os.open(part, _FOLDER, dir_fd=fd)
        finally:
            os.close(fd)
        fd = below
    return fd


def _write(target: Path, parts: list[str], info: tarfile.TarInfo, content: Iterator[bytes]) -> None:
    folder = _folder(target, parts[:-1])
    try:
        descriptor = os.open(parts[-1], _NEW_FILE, 0o600, dir_fd=folder)
        with os.fdopen(descriptor, "wb") as file:
            for piece in content:
                file.write(piece)
            if len(parts) > 1:
                os.fchmod(descriptor, stat.S_IMODE(info.mode) & 0o777 | 0o600)
            file.flush()
            os.utime(descriptor, (info.mtime, info.mtime))
    except FileExistsError:
        raise BackupError(f"`{info.name}` is in it twice.") from None
    finally:
        os.close(folder)


def _link(target: Path, parts: list[str], linked: str) -> None:
    folder = _folder(target, parts[:-1])
    try:
        os.symlink(linked, parts[-1], dir_fd=folder)
    except FileExistsError:
        raise BackupError(f"`{'/'.join(parts)}` is in it twice.") from None
    finally:
        os.close(folder)


def _compare_database(path: Path, found: Manifest) -> None:
    counts = database_copy.look(path)["counts"]
    for table, count in found["counts"].items():
        if counts.get(table) != count:
            raise BackupError(
                f"The table {table} has {counts.get(table)} rows and should have {count}."
            )
