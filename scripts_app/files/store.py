"""The lasting folder of a script, `files/`, as people use it: list, upload, download, delete; no link is followed.

A script may put anything there and change it at any moment: each step goes by a descriptor of the folder it was found
in, and nothing is opened but folders and regular files.
"""

import errno
import heapq
import os
import secrets
import shutil
import stat
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO

from asgiref.sync import sync_to_async
from django.conf import settings

from scripts_app import validation
from scripts_app.models import Script
from scripts_app.validation import ScriptError
from tempo_site.lib import paths

MAX_PATH, MAX_NAME_BYTES = 1000, 255
CHUNK = 256 * 1024
MB = 2**20
_OPEN = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # a FIFO would be waited for
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | _OPEN
_KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}


class NoSuchFile(ScriptError):
    """There is no such file or folder, or what is there is neither."""


@dataclass(frozen=True, kw_only=True)
class FileEntry:
    """What lies in a folder. `kind`: file, folder, link or other; only the first two can be opened."""

    name: str
    path: str
    kind: str
    size_bytes: int
    changed_at: datetime
    has_readable_name: bool  # else it is no UTF-8, and `name` says it with substitutes: only the script can reach it


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A part of a folder, by name; `following` is what the next part comes after, "" when this is the last."""

    entries: list[FileEntry]
    following: str


def listing(script: Script, folder: str = "", *, after: str = "", limit: int = 200) -> Listing:
    """List a folder below `files/` ("" is that itself), at most `limit` names behind `after`. Raises NoSuchFile."""
    parts = split(folder) if folder else []
    with _opened(script, parts) as fd, os.scandir(fd) as found:
        names = heapq.nsmallest(limit + 1, (entry.name for entry in found if entry.name > after))
        entries = [entry for name in names[:limit] if (entry := _entry(fd, name, parts))]
    return Listing(entries=entries, following=names[limit - 1] if len(names) > limit else "")


def opened(script: Script, path: str) -> BinaryIO:
    """Open a regular file for reading; the caller closes it. Raises NoSuchFile, and ScriptError when it is closed."""
    *above, name = split(path)
    with _opened(script, above) as folder, _as_refusal(path):
        fd = os.open(name, os.O_RDONLY | _OPEN, dir_fd=folder)
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode) or _is_borrowed(status):
        os.close(fd)
        raise NoSuchFile(f"`{path}` is no file that can be read", field="path")
    return os.fdopen(fd, "rb")


async def stream(file: BinaryIO) -> AsyncIterator[bytes]:
    """Yield what an opened file has by now, read in threads: under ASGI Django would read a plain one whole."""
    left = os.fstat(file.fileno()).st_size
    with file:
        while left > 0 and (data := await sync_to_async(file.read)(min(CHUNK, left))):
            left -= len(data)
            yield data


def save(script: Script, path: str, chunks: Iterable[bytes], *, replace: bool = False) -> None:
    """Store a file, whole or not at all; folders on its way are made. Raises ScriptError.

    Refused: more than PYSCHED_MAX_UPLOAD_MB, a name that is taken unless `replace`, and by a folder in any case.
    """
    *above, name = _new(path)
    _make_folders(script, above)
    with _opened(script, above) as folder, _as_refusal(path):
        _refuse_taken(folder, name, path, replace=replace)
        beside = f".upload-{secrets.token_hex(8)}"
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OPEN, 0o600, dir_fd=folder)
        try:
            with os.fdopen(fd, "wb") as file:
                _write(file, chunks, path)
                # the folder's owner is to change it
                os.fchmod(fd, 0o666 if paths.has_script_users() else 0o600)
            os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(beside, dir_fd=folder)
            raise


def make_folder(script: Script, path: str) -> None:
    """Make a folder and those above it; one that is there is fine. Raises ScriptError."""
    _make_folders(script, _new(path))


def delete(script: Script, path: str, *, recursive: bool = False) -> None:
    """Delete a file, a link itself, or a folder; one that is not empty only when `recursive`. Raises ScriptError."""
    *above, name = split(path)
    with _opened(script, above) as folder, _as_refusal(path):
        if not stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=folder)
        elif recursive:
            shutil.rmtree(name, dir_fd=folder)
        else:
            os.rmdir(name, dir_fd=folder)


def split(path: object) -> list[str]:
    """Return the parts of a path below `files/`. Raises ScriptError: absolute, `..`, NULs, too long."""
    plain = validation.text(path, field="path")
    parts = plain.split("/")
    if len(plain) > MAX_PATH or any(len(part.encode()) > MAX_NAME_BYTES for part in parts):
        raise ScriptError(
            f"A path has at most {MAX_PATH} characters, a name {MAX_NAME_BYTES} bytes", field="path"
        )
    if any(part in ("", ".", "..") for part in parts):
        raise ScriptError(
            f"`{plain[:100]}` begins or ends with `/`, or has an empty part, `.` or `..`\n"
            "hint: write paths as they are below `files/`, like `data/input.csv`",
            field="path",
        )
    return parts


def joined(folder: str, name: str) -> str:
    """The path of a name in a folder."""
    return f"{folder}/{name}" if folder else name


def _new(path: str) -> list[str]:
    """The parts of a path that is to be made: on one line, as it can be read and typed."""
    validation.line(path, field="path", most=MAX_PATH)
    return split(path)


@contextmanager
def _opened(script: Script, parts: list[str]) -> Iterator[int]:
    """A descriptor of a folder below the script's `files/`, found step by step. Raises NoSuchFile, ScriptError."""
    paths.make_passable(paths.script(script.slug))
    paths.make_closed(paths.script_files(script.slug))
    fd = os.open(paths.data(), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in ("scripts", script.slug, "files", *parts):
            with _as_refusal("/".join(parts) or "files"):
                inner = os.open(part, _FOLDER, dir_fd=fd)
            os.close(fd)
            fd = inner
        yield fd
    finally:
        os.close(fd)


def _make_folders(script: Script, parts: list[str]) -> None:
    mode = 0o2777 if paths.has_script_users() else 0o700  # others come only as far as `files/`
    for count in range(1, len(parts) + 1):
        *above, name = parts[:count]
        with (
            _opened(script, above) as folder,
            _as_refusal("/".join(parts[:count])),
            suppress(FileExistsError),
        ):
            os.mkdir(name, 0o700, dir_fd=folder)
            made = os.open(name, _FOLDER, dir_fd=folder)
            try:
                os.fchmod(made, mode)
            finally:
                os.close(made)


@contextmanager
def _as_refusal(path: str) -> Iterator[None]:
    """Say in words what the system refuses about a path."""
    try:
        yield
    except RecursionError as error:
        raise ScriptError(
            f"`{path}` has folders in folders too deep to be deleted at once", field="path"
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.ENXIO):
            raise NoSuchFile(
                f"There is no `{path}`, or it is a link, which is not followed", field="path"
            ) from error
        raise ScriptError(_sentence(path, error), field="path") from error


def _sentence(path: str, error: OSError) -> str:
    match error.errno:
        case errno.EACCES | errno.EPERM:
            return f"`{path}` is closed to Tempo: the script has made it, and may open or delete it in a run"
        case errno.ENOTEMPTY | errno.EEXIST:
            return (
                f"The folder `{path}` is not empty\nhint: say that all in it is to be deleted, too"
            )
        case errno.ENOSPC | errno.EDQUOT:
            return f"`{path}` was not stored: the disk is full"
        case errno.EISDIR:
            return f"`{path}` is a folder"
        case errno.EBUSY:
            return f"`{path}` is in use: something is mounted there"
    return f"`{path}`: {error.strerror}"


def _entry(folder: int, name: str, above: list[str]) -> FileEntry | None:
    """What is told of a name; None when it has gone meanwhile."""
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return None
    readable = os.fsencode(name).decode(errors="replace")
    return FileEntry(
        name=readable,
        path="/".join([*above, readable]),
        kind=_KINDS.get(stat.S_IFMT(status.st_mode), "other"),
        size_bytes=status.st_size if stat.S_ISREG(status.st_mode) else 0,
        changed_at=_moment(status.st_mtime),
        has_readable_name=readable == name,
    )


def _moment(seconds: float) -> datetime:
    """A file's time; a script may have set it to any year."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


def _is_borrowed(status: os.stat_result) -> bool:
    """Whether it may be a file of Tempo's own that a script with another user has given a second name."""
    return paths.has_script_users() and status.st_nlink > 1 and status.st_uid == os.geteuid()


def _refuse_taken(folder: int, name: str, path: str, *, replace: bool) -> None:
    try:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        raise ScriptError(f"`{path}` is a folder", field="path")
    if not replace:
        raise ScriptError(
            f"There is a file `{path}` already\nhint: say that it is to be replaced", field="path"
        )


def _write(file: BinaryIO, chunks: Iterable[bytes], path: str) -> None:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > settings.MAX_UPLOAD_MB * MB:
            raise ScriptError(
                f"`{path}` is larger than {settings.MAX_UPLOAD_MB:,} MB, the most of an upload here\n"
                "hint: an admin can raise `PYSCHED_MAX_UPLOAD_MB`",
                field="path",
            )
        file.write(chunk)
    file.flush()  # a full disk is to say so here, not in the answer's end
