"""Writing the members of a backup's tar, and noting size and SHA-256 of each for the manifest."""

import errno
import hashlib
import os
import stat
import tarfile
from typing import IO, Any

PIECE = 2**20
CHANGED = "it changed while it was read"


class MemberWriter:
    """A tar written front to back; `members` and `left_out` are lists of the manifest.

    Without TarFile, which copies its buffer and each header once more: that took half of the time of many small files.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._waiting = bytearray()
        self.members: list[dict[str, Any]] = []
        self.left_out: list[dict[str, str]] = []

    def add_bytes(self, name: str, content: bytes, *, mode: int = 0o600, mtime: float = 0) -> None:
        self._write(_member(_info(name, mode=mode, mtime=mtime), content))
        self._note(name, len(content), hashlib.sha256(content).hexdigest())

    def add_file(self, name: str, descriptor: int, *, max_bytes: int = 0) -> None:
        """Add an open regular file; one that is too large, or a file of another kind, is left out and named."""
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            self.leave_out(name, "it is no regular file")
        elif max_bytes and status.st_size > max_bytes:
            self.leave_out(
                name, f"it has {status.st_size // 2**20} MB, {max_bytes // 2**20} is the most"
            )
        elif status.st_size <= PIECE:  # read first, so that it has the size that was read
            content = _content(descriptor, status.st_size)
            self.add_bytes(name, content, mode=status.st_mode, mtime=status.st_mtime)
        else:
            self._add_large(name, descriptor, status)

    def add_folder(self, name: str, *, mode: int = 0o700) -> None:
        info = _info(name, mode=mode, mtime=0)
        info.type = tarfile.DIRTYPE
        self._write(_member(info, b""))

    def add_link(self, name: str, target: str) -> None:
        info = _info(name, mode=0o777, mtime=0)
        info.type = tarfile.SYMTYPE
        info.linkname = target
        self._write(_member(info, b""))

    def leave_out(self, name: str, reason: str) -> None:
        self.left_out.append({"name": name, "reason": reason})

    def leave_out_for(self, name: str, error: OSError) -> None:
        if error.errno in (errno.ENOSPC, errno.EIO, errno.EDQUOT):
            raise error
        if error.errno != errno.ENOENT:  # gone since it was listed
            self.leave_out(name, error.strerror or "it cannot be read")

    def close(self) -> None:
        self._write(bytes(2 * tarfile.BLOCKSIZE))  # the end of a tar
        self._stream.write(self._waiting)
        self._waiting.clear()

    def _add_large(self, name: str, descriptor: int, status: os.stat_result) -> None:
        info = _info(name, mode=status.st_mode, mtime=status.st_mtime)
        info.size = status.st_size
        padded = _PaddedReader(descriptor, status.st_size)
        self._write(_header(info))
        while piece := padded.read(PIECE):
            self._write(piece)
        self._write(_padding(info.size))
        self._note(name, info.size, padded.hash.hexdigest())
        if padded.is_padded:
            self.leave_out(name, CHANGED)

    def _write(self, data: bytes) -> None:
        self._waiting += data
        if len(self._waiting) >= PIECE:
            self._stream.write(self._waiting)
            self._waiting.clear()

    def _note(self, name: str, size: int, digest: str) -> None:
        self.members.append({"name": name, "size": size, "sha256": digest})


class _PaddedReader:
    """A file as long as it was, whatever becomes of it meanwhile: cut off, or filled up with NULs."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self._left = size
        self.hash = hashlib.sha256()
        self.is_padded = False

    def read(self, size: int) -> bytes:
        wanted = min(size, self._left)
        piece = os.read(self._descriptor, wanted)
        if not piece and wanted:
            self.is_padded = True
            piece = bytes(wanted)
        self._left -= len(piece)
        self.hash.update(piece)
        return piece


def _content(descriptor: int, size: int) -> bytes:
    content = os.read(descriptor, size)
    while len(content) < size and (more := os.read(descriptor, size - len(content))):
        content += more
    return content


def header(name: str, content: bytes) -> bytes:
    """Return a member of a tar as bytes, without the end of a tar."""
    return _member(_info(name, mode=0o600, mtime=0), content)


def _member(info: tarfile.TarInfo, content: bytes) -> bytes:
    info.size = len(content)
    return b"".join((_header(info), content, _padding(info.size)))


def _header(info: tarfile.TarInfo) -> bytes:
    try:
        return info.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")  # three times as fast
    except ValueError:  # a long name, another alphabet, 8 GB
        return info.tobuf(tarfile.PAX_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)


def _info(name: str, *, mode: int, mtime: float) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.mode = stat.S_IMODE(mode) & 0o777
    info.mtime = int(mtime)
    return info
