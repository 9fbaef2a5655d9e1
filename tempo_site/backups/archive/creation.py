"""Making a backup: a copy of the database, the files, the manifest in front, all read back before it has its name."""

import fcntl
import hashlib
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, TypedDict

from tempo_site.backups.archive import (
    database_copy,
    manifest,
    members,
    packing,
    reading,
    sealing,
    sources,
)
from tempo_site.backups.archive.manifest import BackupError, Manifest
from tempo_site.backups.archive.members import MemberWriter

WORK, PART = ".making", ".part"


class BackupOrder(TypedDict):
    """What is to be made. `facts` is the file beside the backup that lists read, or ""."""

    data: str
    folder: str  # of backups, for the work as well
    out: str
    facts: str
    tempo: str
    kind: str  # of compression
    logs: bool
    max_file_mb: int


def create(order: BackupOrder, *, passphrase: str, secret_key: str) -> Manifest:
    """Make and check the backup, and return its manifest. Raise BackupError, OSError and sqlite3.Error."""
    out = Path(order["out"])
    with _work_folder(Path(order["folder"])) as work:
        kind = order["kind"]
        body = work / "body"
        facts = _write_body(order, work, body, kind, secret_key if passphrase else "")
        part = out.with_name(f".{out.name}{PART}")
        try:
            digest = _write_whole(part, body, facts, kind, passphrase)
            body.unlink()
            checked = reading.check(part, passphrase=passphrase)
            part.replace(out)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        _sync(out.parent)
    if order["facts"]:
        reading.write_facts(Path(order["facts"]), out, checked, digest, bool(passphrase))
    return checked


@contextmanager
def _work_folder(folder: Path) -> Iterator[Path]:
    """Hold the only place in which a backup is made; what a killed one left goes first. Raise BackupError."""
    with (folder / ".lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError(
                "Another backup is being made.\nhint: wait until it is there"
            ) from None
        for left in folder.glob(f".*{PART}"):
            left.unlink()
        work = folder / WORK
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(mode=0o700)
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _write_body(order: BackupOrder, work: Path, body: Path, kind: str, secret_key: str) -> Manifest:
    data = Path(order["data"])
    copy = work / manifest.DATABASE
    made_at = datetime.now(UTC)
    of_database = database_copy.make(data / manifest.DATABASE, copy)
    with packing.open_writer(body, kind) as stream:
        writer = MemberWriter(stream)
        with copy.open("rb") as file:
            writer.add_file(manifest.DATABASE, file.fileno())
        copy.unlink()
        _add_settings(writer, data, secret_key)
        max_bytes = order["max_file_mb"] * 2**20
        sources.add_tree(writer, data / manifest.SCRIPTS, manifest.SCRIPTS, max_bytes=max_bytes)
        logs = 0
        if order["logs"]:
            logs = sources.add_logs(writer, data / manifest.RUNS, manifest.RUNS)
        writer.close()
    return {
        "format": manifest.FORMAT,
        "tempo": order["tempo"],
        "created_at": made_at.isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        **of_database,
        "has_secret_key": bool(secret_key),
        "logs_of_runs": logs,
        "left_out_count": len(writer.left_out),
        "left_out": writer.left_out[: manifest.LEFT_OUT_NAMED],
        "members": writer.members,
    }


def _add_settings(writer: MemberWriter, data: Path, secret_key: str) -> None:
    if secret_key:
        writer.add_bytes(manifest.SECRET_KEY, secret_key.encode())
    zone = data / manifest.TIME_ZONE
    if zone.is_file():
        writer.add_bytes(manifest.TIME_ZONE, zone.read_bytes())


def _write_whole(path: Path, body: Path, facts: Manifest, kind: str, passphrase: str) -> str:
    """Write the manifest's frame, the body and the digest; return the SHA-256 of the file."""
    front = packing.compressed(members.header(manifest.NAME, manifest.encode(facts)), kind)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        output = _HashedFile(file)
        sink: Any = sealing.Sealer(output, passphrase) if passphrase else output  # type: ignore[arg-type]
        digest = hashlib.sha256()
        with body.open("rb") as packed:
            for piece in _pieces(front, packed):
                digest.update(piece)
                sink.write(piece)
        sink.write(packing.end(digest.digest(), kind))
        if passphrase:
            sink.close()
        file.flush()
        os.fsync(file.fileno())
        return output.hash.hexdigest()


class _HashedFile:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.hash = hashlib.sha256()

    def write(self, data: bytes) -> None:
        self.hash.update(data)
        self._file.write(data)


def _pieces(front: bytes, packed: IO[bytes]) -> Iterator[bytes]:
    yield front
    while piece := packed.read(packing.PIECE):
        yield piece


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
