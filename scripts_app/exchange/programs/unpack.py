"""Put an archive, a folder or files into an empty folder, or refuse all of it.

Its argument is JSON, see `Asked`. It prints `{"files": [...]}`, `{"refused": sentence}` or, where the disk is full,
`{"errno": number}`; what it had written by then is for the caller to remove.
"""

import errno
import gzip
import io
import json
import os
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from os.path import dirname
from typing import Any, BinaryIO, NamedTuple

from scripts_app.exchange.programs import portable

MB = 2**20
FULL = (errno.ENOSPC, errno.EDQUOT)
CHUNK = 256 * 1024
MAX_ENTRIES = 20_000
MAX_MEMBERS = 50_000  # of a tar archive, with folders and with what is passed over
MAX_DIRECTORY_BYTES = 4 * MB  # of a zip's table of contents
MAX_RATIO = 100  # times that an archive may grow, once it is large
LARGE_BYTES = 10 * MB
_END_OF_DIRECTORY = struct.Struct("<4s4H2LH")
_IN_ZIP64 = (0xFFFF, 0xFFFFFFFF)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED, _IS_UTF8 = 0x1, 0x800
_KIND, _FOLDER, _FILES = 0o170000, 0o040000, (0, 0o100000)


class UnpackRefused(Exception):
    """Something that is not unpacked; the text is for the person who handed it over."""


@dataclass(frozen=True)
class SourceEntry:
    """A file within a source."""

    path: str
    size: int
    open: Callable[[], Any]


class Asked(NamedTuple):
    """What to unpack: pairs of a name and a path, into `target`, and how much that may be.

    A folder's name is the first part of its files' paths; "" for none.
    """

    target: str
    max_bytes: int
    sources: list[tuple[str, str]]


class UnpackTarget:
    """The folder that is filled; counts what comes, and refuses what is there already."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.files: list[str] = []
        self._taken = portable.Taken()
        self._count = 0
        self._size = 0

    def take(self, entry: SourceEntry) -> None:
        """Write a file. Raise Refused."""
        if portable.is_passed_over(entry.path):
            return
        self._check(entry)
        path = os.path.join(self.asked.target, *entry.path.split("/"))
        os.makedirs(dirname(path), mode=0o700, exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(fd, "wb") as file, entry.open() as source:
            while chunk := source.read(CHUNK):
                self.count(len(chunk))
                file.write(chunk)
        self.files.append(entry.path)

    def count(self, size: int) -> None:
        self._size += size
        if self._size > self.asked.max_bytes:
            raise UnpackRefused(f"It unpacks to more than {self.asked.max_bytes // MB:,} MB")

    def _check(self, entry: SourceEntry) -> None:
        refuse_name(entry.path)
        other = self._taken.add(entry.path)
        if other == entry.path:
            raise UnpackRefused(f"`{shown(entry.path)}` is there twice")
        if other:
            raise UnpackRefused(
                f"`{shown(entry.path)}` and `{shown(other)}` cannot lie side by side on every system: rename one"
            )
        self._count += 1
        if self._count > MAX_ENTRIES:
            raise UnpackRefused(f"It holds more than {MAX_ENTRIES:,} files")


class Counted(io.RawIOBase):
    """An unpacked stream that is read by a library and may not be longer than allowed."""

    def __init__(self, stream: Any, max_bytes: int) -> None:
        self._stream = stream
        self._left = max_bytes + LARGE_BYTES  # headers of an archive count as well
        self._max_bytes = max_bytes

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._stream.read(size if size >= 0 else CHUNK)
        self._left -= len(data)
        if self._left < 0:
            raise UnpackRefused(f"It unpacks to more than {self._max_bytes // MB:,} MB")
        return data


def main(argument: str) -> None:
    """Unpack, and print what came of it."""
    given = json.loads(argument)
    asked = Asked(given["target"], given["max_bytes"], given["sources"])
    try:
        answer: dict[str, Any] = {"files": sorted(unpack(asked))}
    except UnpackRefused as refusal:
        answer = {"refused": str(refusal)}
    except OSError as error:
        if error.errno in FULL:
            answer = {"errno": error.errno}
        else:
            answer = {"refused": f"It cannot be unpacked: {error.strerror or error}"}
    sys.stdout.write(json.dumps(answer))


def unpack(asked: Asked) -> list[str]:
    """Return the paths of what was written. Raise Refused, OSError."""
    target = UnpackTarget(asked)
    if len(asked.sources) == 1:
        name, source = asked.sources[0]
        if os.path.isdir(source):
            take_folder(source, target, below=name)
            return target.files
        if name.lower().endswith(".zip") or zipfile.is_zipfile(source):
            take_zip(source, target)
            return target.files
        if name.lower().endswith((".tar", ".tar.gz", ".tgz")):
            take_tar(source, target)
            return target.files
    for name, source in asked.sources:
        target.take(SourceEntry(name, os.path.getsize(source), partial(_open_file, source)))
    return target.files


def take_folder(source: str, target: UnpackTarget, *, below: str = "") -> None:
    """Take the files of a folder, with `below` in front of their paths; a link or a device in it refuses all."""
    for place, folders, names in os.walk(source, onerror=_raise):
        folders[:] = sorted(name for name in folders if not portable.is_passed_over(name))
        for name in sorted([*folders, *names]):
            path = os.path.join(place, name)
            inside = os.path.relpath(path, source)
            if portable.is_passed_over(inside):
                continue
            status = os.lstat(path)
            refuse_kind(inside, status.st_mode)
            if name not in folders:
                found = os.path.join(below, inside)
                target.take(SourceEntry(found, status.st_size, partial(_open_file, path)))


def take_zip(source: str, target: UnpackTarget) -> None:
    """Take the files of a zip, which has to be whole and plain."""
    with open(source, "rb") as file:
        refuse_directory(file)
    try:
        with zipfile.ZipFile(source) as archive:
            found = archive.infolist()
            refuse_amount(found, target.asked.max_bytes)
            for info in found:
                refuse_packing(info)
            for info in found:
                if not info.is_dir():
                    opened = partial(archive.open, info)
                    target.take(SourceEntry(info.filename, info.file_size, opened))
    except (zipfile.BadZipFile, NotImplementedError, EOFError, zlib.error) as error:
        raise UnpackRefused(f"The archive is damaged: {error}") from None


def take_tar(source: str, target: UnpackTarget) -> None:
    """Take the files of a tar archive, which is read twice: it has no table of contents."""
    try:
        with _tar(source, target) as archive:
            for number, member in enumerate(files_of(archive)):
                refuse_name(path_of(member))
                if number >= MAX_ENTRIES:
                    raise UnpackRefused(f"It holds more than {MAX_ENTRIES:,} files")
        with _tar(source, target) as archive:
            for member in files_of(archive):
                opened = partial(archive.extractfile, member)
                target.take(SourceEntry(path_of(member), member.size, opened))
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise UnpackRefused(f"The archive is damaged: {error}") from None


def files_of(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield the files of a tar archive. Raise Refused for links, devices and too many."""
    for number, member in enumerate(archive):
        if number >= MAX_MEMBERS:
            raise UnpackRefused(f"It holds more than {MAX_MEMBERS:,} files and folders")
        if member.isdir() or portable.is_passed_over(path_of(member)):
            continue
        if not member.isreg():
            raise UnpackRefused(f"`{shown(path_of(member))}` is a link or a device")
        yield member


def path_of(member: tarfile.TarInfo) -> str:
    return member.name.removeprefix("./")


def _tar(source: str, target: UnpackTarget) -> tarfile.TarFile:
    plain = Counted(_plain_stream(source), target.asked.max_bytes)
    return tarfile.open(fileobj=plain, mode="r|")


def refuse_directory(file: BinaryIO) -> None:
    """Refuse a zip by the size of its table of contents, before all of that is read."""
    file.seek(0, os.SEEK_END)
    file.seek(max(0, file.tell() - 2**16 - _END_OF_DIRECTORY.size))
    tail = file.read()
    place = tail.rfind(b"PK\x05\x06")
    if place < 0 or len(tail) - place < _END_OF_DIRECTORY.size:
        raise UnpackRefused("The archive is damaged: it has no end")
    _, _, _, _, count, size, _, _ = _END_OF_DIRECTORY.unpack_from(tail, place)
    if count in _IN_ZIP64 or size in _IN_ZIP64 or size > MAX_DIRECTORY_BYTES or count > MAX_ENTRIES:
        raise UnpackRefused(f"It holds more than {MAX_ENTRIES:,} files")


def refuse_amount(found: list[zipfile.ZipInfo], max_bytes: int) -> None:
    if len(found) > MAX_ENTRIES:
        raise UnpackRefused(f"It holds more than {MAX_ENTRIES:,} files")
    size = sum(info.file_size for info in found)
    packed = sum(info.compress_size for info in found)
    if size > max_bytes:
        raise UnpackRefused(f"It unpacks to more than {max_bytes // MB:,} MB")
    if size > LARGE_BYTES and size > MAX_RATIO * packed:
        raise UnpackRefused(f"It grows to more than {MAX_RATIO} times its size when it is unpacked")


def refuse_packing(info: zipfile.ZipInfo) -> None:
    """Refuse what is encrypted, packed by a rare method, a link or a device, or has a name in no known letters."""
    name = info.filename
    if info.flag_bits & _ENCRYPTED:
        raise UnpackRefused(f"`{shown(name)}` is encrypted: pack it without a password")
    if info.compress_type not in _METHODS:
        raise UnpackRefused(f"`{shown(name)}` is packed by a method that is not read here")
    if not name.isascii() and not info.flag_bits & _IS_UTF8:
        raise UnpackRefused(f"`{shown(name)}` is not marked as UTF-8")
    refuse_name(info.orig_filename.removesuffix("/"))
    refuse_kind(name, info.external_attr >> 16)


def refuse_name(path: str) -> None:
    problem = portable.problem_of(path)
    if problem:
        raise UnpackRefused(f"`{shown(path)}` {problem}")


def refuse_kind(path: str, mode: int) -> None:
    kind = mode & _KIND
    if kind != _FOLDER and kind not in _FILES:
        raise UnpackRefused(f"`{shown(path)}` is a link or a device")


def shown(path: str) -> str:
    """Return a name as a sentence may hold it."""
    plain = "".join(character if character.isprintable() else "�" for character in path)
    return plain if len(plain) <= 200 else f"{plain[:199]}…"


def _plain_stream(source: str) -> Any:
    with open(source, "rb") as file:
        is_gzip = file.read(2) == b"\x1f\x8b"
    return gzip.open(source, "rb") if is_gzip else open(source, "rb")


def _open_file(path: str) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")


def _raise(error: OSError) -> None:
    raise error
