"""Reading a backup front to back: every member against the manifest, every byte against the digest at the end."""

import hashlib
import json
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from tempo_site.backups.archive import manifest, packing, sealing
from tempo_site.backups.archive.manifest import BackupError, Manifest
from tempo_site.backups.archive.packing import HashedStream

PIECE = 2**20
READ_AHEAD = 16 * 1024  # so that damage is found near the member that is named
DAMAGE: tuple[type[Exception], ...] = (tarfile.TarError, *packing.DAMAGE)


class Backup:
    """An open backup: its manifest, and its members one by one."""

    def __init__(self, stream: HashedStream) -> None:
        self._stream = stream
        self._at = manifest.NAME
        with self._naming_damage():
            self._tar = tarfile.open(  # noqa: SIM115
                fileobj=packing.open_reader(stream), mode="r|", bufsize=READ_AHEAD
            )
            first = self._tar.next()
            if first is None or first.name != manifest.NAME or first.size > manifest.MAX_BYTES:
                raise BackupError("It is no backup of Tempo: its first file is no manifest.")
            content = self._tar.extractfile(first)
            self.manifest: Manifest = manifest.decode(content.read() if content else b"")
        self._expected = manifest.members_by_name(self.manifest)

    def members(self) -> Iterator[tuple[tarfile.TarInfo, Iterator[bytes]]]:
        """Yield each member with its content, which has to be read; raise BackupError where anything is damaged."""
        while True:
            with self._naming_damage():
                info = self._tar.next()
                self._tar.members.clear()  # type: ignore[attr-defined]
            if info is None:
                break
            self._at = info.name
            yield info, self._content(info)
        if self._expected:
            raise BackupError(f"It is damaged: `{next(iter(self._expected))}` is missing.")
        with self._naming_damage():
            self._stream.finish()

    def _content(self, info: tarfile.TarInfo) -> Iterator[bytes]:
        if not info.isreg():
            return
        expected = self._expected.pop(info.name, None)
        if expected is None or expected[0] != info.size:
            raise BackupError(f"It is damaged: `{info.name}` is not as its manifest says.")
        digest = hashlib.sha256()
        with self._naming_damage():
            file = self._tar.extractfile(info)
            while file and (piece := file.read(PIECE)):
                digest.update(piece)
                yield piece
        if digest.hexdigest() != expected[1]:
            raise BackupError(f"It is damaged: `{info.name}` has other content.")

    @contextmanager
    def _naming_damage(self) -> Iterator[None]:
        try:
            yield
        except DAMAGE as error:
            if isinstance(error, OSError) and error.errno:
                raise  # the disk's, not the file's
            raise BackupError(f"It is damaged at or behind `{self._at}`: {error}") from error


@contextmanager
def opened(path: Path, *, passphrase: str) -> Iterator[Backup]:
    """Open a backup of either kind. Raise BackupError and OSError."""
    with path.open("rb") as file:
        beginning = file.read(len(manifest.SEALED_MAGIC))
        if beginning == manifest.SEALED_MAGIC:
            yield Backup(HashedStream(sealing.Opener(file, passphrase)))
        else:
            file.seek(0)
            yield Backup(HashedStream(file))


def check(path: Path, *, passphrase: str) -> Manifest:
    """Read the whole backup and return its manifest. Raise BackupError, which names what is damaged."""
    with opened(path, passphrase=passphrase) as backup:
        for _info, content in backup.members():
            for _piece in content:
                pass
        return backup.manifest


def write_facts(path: Path, backup: Path, found: Manifest, sha256: str, is_sealed: bool) -> None:
    """Write the small file that lists are made from, beside a backup that was read back a moment ago."""
    facts: dict[str, Any] = {
        **manifest.summary(found),
        "file_bytes": backup.stat().st_size,
        "file_sha256": sha256,
        "is_sealed": is_sealed,
        "verified_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    beside = path.with_name(f".{path.name}.part")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(facts, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def digest_of(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while piece := file.read(PIECE):
        digest.update(piece)
    return digest.hexdigest()


def is_sealed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(manifest.SEALED_MAGIC)) == manifest.SEALED_MAGIC
