"""List, upload, download and delete in the lasting folder of a script, `files/`, without following links."""

# A script may change the folder at any moment. So each step uses a descriptor of the parent folder, and only folders
# and regular files are opened.

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
from pathlib import Path
from typing import BinaryIO

from asgiref.sync import sync_to_async
from django.conf import settings

from scripts_app import validation
from scripts_app.models import Script
from scripts_app.validation import ScriptError
from tempo_site.audit import trail
from tempo_site.lib import paths

MAX_PATH, MAX_NAME_BYTES = 1000, 255
CHUNK = 256 * 1024
MB = 2**20
_OPEN = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # without O_NONBLOCK a FIFO would block
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | _OPEN
_NOT_FOUND = (errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.ENXIO)
_KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}


class NoSuchFile(ScriptError):
    """A path without a file or folder."""


@dataclass(frozen=True, kw_only=True)
class FileEntry:
    name: str
    path: str
    kind: str  # file, folder, link or other; only files and folders can be opened
    size_bytes: int
    changed_at: datetime
    # False for a name that is no UTF-8: `name` has substitutes, and only the script can use the file.
    has_readable_name: bool


@dataclass(frozen=True, kw_only=True)
class Listing:
    entries: list[FileEntry]
    following: str  # the `after` of the next part; "" in the last part


def listing(
    script: Script,
    folder: str = "",
    *,
    after: str = "",
    limit: int = 200,
) -> Listing:
    """Return at most `limit` entries behind `after` in a folder, "" for `files/`. Raises NoSuchFile, ScriptError."""
    parts = split(folder) if folder else []
    entries = []
    with _open_folder(script, parts) as fd, os.scandir(fd) as found:
        later = (entry.name for entry in found if entry.name > after)
        names = heapq.nsmallest(limit + 1, later)
        for name in names[:limit]:
            entry = _entry(fd, name, parts)
            if entry is not None:
                entries.append(entry)
    following = names[limit - 1] if len(names) > limit else ""
    return Listing(entries=entries, following=following)


def opened(script: Script, path: str) -> BinaryIO:
    """Return a regular file, open for reading. Raises NoSuchFile, and ScriptError without the right to read."""
    *above, name = split(path)
    with _open_folder(script, above) as folder, _as_refusal(path):
        fd = os.open(name, os.O_RDONLY | _OPEN, dir_fd=folder)
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode) or _is_foreign(status):
        os.close(fd)
        raise NoSuchFile(f"`{path}` is no file that can be read", field="path")
    return os.fdopen(fd, "rb")


async def stream(file: BinaryIO) -> AsyncIterator[bytes]:
    """Yield the present content of a file in chunks; under ASGI Django would read a plain file whole."""
    remaining = os.fstat(file.fileno()).st_size
    read = sync_to_async(file.read)
    with file:
        while remaining > 0:
            data = await read(min(CHUNK, remaining))
            if not data:  # it became shorter: as many bytes were promised
                raise OSError(errno.EIO, "The file became shorter while it was read")
            remaining -= len(data)
            yield data


def save(
    script: Script,
    path: str,
    chunks: Iterable[bytes],
    *,
    replace: bool = False,
) -> None:
    """Store a file, whole or not at all, and create missing folders.

    Raises ScriptError: over PYSCHED_MAX_UPLOAD_MB, the name of a folder, or of a file without `replace`.
    """
    *above, name = _split_new(path)
    _make_folders(script, above)
    with _open_folder(script, above) as folder, _as_refusal(path):
        executable = _refuse_taken(folder, name, path, replace=replace) & 0o111
        temporary = f".upload-{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OPEN
        fd = os.open(temporary, flags, 0o600, dir_fd=folder)
        try:
            with os.fdopen(fd, "wb") as file:
                _write(file, chunks, path)
                os.fchmod(fd, _mode_of_new(above) | executable)
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            _note_uploads(script)
            trail.record("stored", kind="file", name=f"{path} of {script.slug}")
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=folder)
            raise


def place(script: Script, path: str, source: Path) -> None:
    """Put a file of the data folder here, in the place of one of that name, without a byte written. Raise ScriptError.

    What has been placed already, `source` being gone, is left as it is.
    """
    *above, name = _split_new(path)
    _make_folders(script, above)
    with _open_folder(script, above) as folder, _as_refusal(path):
        if not source.exists():
            return
        _refuse_taken(folder, name, path, replace=True)
        source.chmod(_mode_of_new(above))
        os.rename(source, name, dst_dir_fd=folder)
        _note_uploads(script)


def refuse_folder(script: Script, path: str) -> None:
    """Raise ScriptError where a path cannot be that of a file: a folder has it, or a part above is no folder."""
    *above, name = _split_new(path)
    for count in range(len(above) + 1):
        try:
            with _open_folder(script, above[:count]) as folder, _as_refusal(path):
                if count == len(above):
                    _refuse_taken(folder, name, path, replace=True)
        except NoSuchFile:
            return


def _note_uploads(script: Script) -> None:
    if paths.has_script_users():
        paths.uploads_note(script.slug).touch()


def _mode_of_new(above: list[str]) -> int:
    # A run that is under way may change the file, too; it is the script's own from the next run on. ssh takes no key
    # and no settings that others could read or change.
    if ".ssh" in above or not paths.has_script_users():
        return 0o600
    return 0o666


def make_folder(script: Script, path: str) -> None:
    """Create a folder and missing folders above, if not there yet. Raises ScriptError."""
    _make_folders(script, _split_new(path))
    trail.record("created", kind="folder of files", name=f"{path} of {script.slug}")


def delete(script: Script, path: str, *, recursive: bool = False) -> None:
    """Delete a file, a link or a folder; a folder with content only when `recursive`. Raises ScriptError."""
    *above, name = split(path)
    with _open_folder(script, above) as folder, _as_refusal(path):
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode):
            os.unlink(name, dir_fd=folder)
        elif recursive:
            shutil.rmtree(name, dir_fd=folder)
        else:
            os.rmdir(name, dir_fd=folder)
        trail.record("deleted", kind="file", name=f"{path} of {script.slug}")


def split(path: object) -> list[str]:
    """Return the parts of a path below `files/`. Raises ScriptError: absolute, `..`, NULs, too long."""
    plain = validation.text(path, field="path")
    parts = plain.split("/")
    longest = max(len(part.encode()) for part in parts)
    if len(plain) > MAX_PATH or longest > MAX_NAME_BYTES:
        message = f"A path has at most {MAX_PATH} characters, a name {MAX_NAME_BYTES} bytes"
        raise ScriptError(message, field="path")
    if not {"", ".", ".."}.isdisjoint(parts):
        raise ScriptError(
            f"`{plain[:100]}` begins or ends with `/`, or has an empty part, `.` or `..`\n"
            "hint: write paths as they are below `files/`, like `data/input.csv`",
            field="path",
        )
    return parts


def joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _split_new(path: str) -> list[str]:
    # New paths stand on one line, so that people can read and type the path.
    validation.line(path, field="path", limit=MAX_PATH)
    return split(path)


@contextmanager
def _open_folder(script: Script, parts: list[str]) -> Iterator[int]:
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
    mode = 0o2777 if paths.has_script_users() else 0o700  # `files/` itself is closed to other users
    for count in range(1, len(parts) + 1):
        *above, name = parts[:count]
        path = "/".join(parts[:count])
        with _open_folder(script, above) as folder, _as_refusal(path), suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=folder)
            fd = os.open(name, _FOLDER, dir_fd=folder)
            try:
                os.fchmod(fd, mode)
            finally:
                os.close(fd)
            _note_uploads(script)


@contextmanager
def _as_refusal(path: str) -> Iterator[None]:
    try:
        yield
    except RecursionError as error:
        message = f"`{path}` has folders in folders too deep to be deleted at once"
        raise ScriptError(message, field="path") from error
    except OSError as error:
        if error.errno in _NOT_FOUND:
            message = f"There is no `{path}`, or it is a link, which is not followed"
            raise NoSuchFile(message, field="path") from error
        raise ScriptError(_os_error_message(path, error), field="path") from error


def _os_error_message(path: str, error: OSError) -> str:
    match error.errno:
        case errno.EACCES | errno.EPERM:
            return f"`{path}` is closed to Tempo: the script has made it, and may open or delete it in a run"
        case errno.ENOTEMPTY | errno.EEXIST:
            hint = "say that all in it is to be deleted, too"
            return f"The folder `{path}` is not empty\nhint: {hint}"
        case errno.ENOSPC | errno.EDQUOT:
            return f"`{path}` was not stored: the disk is full"
        case errno.EISDIR:
            return f"`{path}` is a folder"
        case errno.EBUSY:
            return f"`{path}` is in use: something is mounted there"
    return f"`{path}`: {error.strerror}"


def _entry(folder: int, name: str, above: list[str]) -> FileEntry | None:
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:  # removed in the meantime
        return None
    readable_name = os.fsencode(name).decode(errors="replace")
    return FileEntry(
        name=readable_name,
        path="/".join([*above, readable_name]),
        kind=_KINDS.get(stat.S_IFMT(status.st_mode), "other"),
        size_bytes=status.st_size if stat.S_ISREG(status.st_mode) else 0,
        changed_at=_to_datetime(status.st_mtime),
        has_readable_name=readable_name == name,
    )


def _to_datetime(mtime_s: float) -> datetime:
    try:
        return datetime.fromtimestamp(int(mtime_s), UTC)
    except (ValueError, OverflowError, OSError):  # a script may set any year
        return datetime.fromtimestamp(0, UTC)


def _is_foreign(status: os.stat_result) -> bool:
    # A script with another user may have made a hard link to a file of Tempo's own.
    return paths.has_script_users() and status.st_nlink > 1 and status.st_uid == os.geteuid()


def _refuse_taken(
    folder: int,
    name: str,
    path: str,
    *,
    replace: bool,
) -> int:
    # Returns the mode of the file that is replaced, 0 without one.
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return 0
    if stat.S_ISDIR(status.st_mode):
        raise ScriptError(f"`{path}` is a folder", field="path")
    if not replace:
        message = f"There is a file `{path}` already\nhint: say that it is to be replaced"
        raise ScriptError(message, field="path")
    return status.st_mode


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
    file.flush()  # a full disk raises here
