"""Files that are whole or absent: written beside, flushed, renamed. And locks between processes."""

import fcntl
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_atomic(
    path: Path, content: str | bytes, *, mode: int = 0o600, durable: bool = True
) -> None:
    """Replace `path` by `content` in one step; `durable` also survives a power cut (two fsyncs).

    Raises OSError when the folder is missing, full or not writable; the old content is then untouched.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    data = content.encode() if isinstance(content, str) else content
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if mode & 0o077:
                os.fchmod(descriptor, mode)  # the umask must not take away the rights of others
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def create_whole(path: Path, content: bytes) -> bool:
    """Create a file, with all of its content in one step; False when there is one.

    Without hard links, as on exFAT and many network shares, others may see it empty for a moment.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    beside.write_bytes(content)
    try:
        os.link(beside, path)
    except FileExistsError:
        return False
    except OSError:
        return _create(path, content)
    finally:
        beside.unlink()
    return True


def _create(path: Path, content: bytes) -> bool:
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        return False
    return True


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of this name against other processes: the second waits. The lock ends with the process, too."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
