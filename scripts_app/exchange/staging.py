"""What was handed in for an import: unpacked by a confined program into a folder of its own, for an hour or two."""

import json
import os
import secrets
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings

from scripts_app.exchange import confined_program
from scripts_app.exchange.items import CODE, SETTINGS, ExchangeError
from scripts_app.models import UnplacedFiles
from tempo_site.lib import files, paths

KEPT_FOR = timedelta(hours=1)
MAX_STAGED = 20
MB = 2**20
TIMES_UPLOAD = 10  # how much more than an upload the files in an archive may be
TREE, _UPLOADS, _MADE, _OWNER = "tree", "uploads", "made", "owner.json"


@dataclass(frozen=True, kw_only=True)
class Staged:
    """An import that waits for a person: its token, and where each of its files lies, by its path."""

    token: str
    files: dict[str, Path]

    @property
    def folder(self) -> Path:
        return paths.imports() / self.token

    @property
    def tree(self) -> Path:
        return self.folder / TREE

    def keep(self, name: str, data: bytes) -> Path:
        """Return where a file lies now that was made of what was handed in; the same name is the same file."""
        path = self.folder / _MADE / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(data)
        return path


def take_uploads(
    uploads: Sequence[tuple[str, Iterable[bytes]]], *, owner: str, now: datetime
) -> Staged:
    """Keep what was sent, pairs of a name and its bytes, unpacked. Raise ExchangeError, OSError."""
    if not uploads:
        raise ExchangeError("There is no file in the request\nhint: send a zip, or Python files")
    folder = _new_folder(now)
    try:
        sources = []
        for number, (name, chunks) in enumerate(uploads):
            path = folder / _UPLOADS / str(number)
            path.parent.mkdir(mode=0o700, exist_ok=True)
            with path.open("wb") as file:
                file.writelines(chunks)
            sources.append((name, path))
        return _unpack(folder, sources, owner=owner)
    except BaseException:
        discard(folder.name)
        raise


def take_path(source: Path, *, owner: str, now: datetime) -> Staged:
    """Keep a copy of a file or folder of this machine, unpacked. Raise ExchangeError, OSError."""
    if not source.exists():
        raise ExchangeError(f"There is no `{source}`")
    folder = _new_folder(now)
    try:
        name = source.resolve().name if source.is_file() or _is_one_script(source) else ""
        return _unpack(folder, [(name, source.resolve())], owner=owner)
    except BaseException:
        discard(folder.name)
        raise


# A script has the name of its folder.
def _is_one_script(folder: Path) -> bool:
    return (folder / CODE).is_file() and not (folder / SETTINGS).exists()


def find(token: str, *, owner: str) -> Staged:
    """Return what somebody handed in before. Raise ExchangeError when it is gone, or was another's."""
    folder = paths.imports() / token
    is_name = token.isalnum() and token.isascii()
    try:
        kept: dict[str, Any] = json.loads((folder / _OWNER).read_text()) if is_name else {}
    except (OSError, ValueError):
        kept = {}
    if not kept or kept["owner"] != owner:
        raise ExchangeError("That import is not here any more\nhint: hand the files in again")
    return Staged(token=token, files=_places(folder, kept["files"]))


def discard(token: str) -> None:
    shutil.rmtree(paths.imports() / token, ignore_errors=True)


def discard_unless_wanted(staged: Staged) -> None:
    """Remove an import that is over; its files stay while some of them are still to be placed."""
    if not UnplacedFiles.objects.filter(token=staged.token).exists():
        discard(staged.token)


def discard_old(*, now: datetime) -> None:
    """Remove what nobody came back for, and what a process left that has ended."""
    wanted = set(UnplacedFiles.objects.values_list("token", flat=True))
    for folder in paths.imports().glob("*"):
        age = now.timestamp() - folder.stat().st_mtime
        if folder.name not in wanted and age > KEPT_FOR.total_seconds():
            discard(folder.name)


def _new_folder(now: datetime) -> Path:
    paths.make_closed(paths.imports())
    discard_old(now=now)
    if len(list(paths.imports().iterdir())) >= MAX_STAGED:
        raise ExchangeError("Other imports wait to be finished\nhint: try again in an hour")
    folder = paths.imports() / secrets.token_hex(16)
    folder.mkdir(mode=0o700)
    (folder / TREE).mkdir(mode=0o700)
    return folder


def _unpack(folder: Path, sources: Sequence[tuple[str, Path]], *, owner: str) -> Staged:
    max_bytes = int(settings.MAX_UPLOAD_MB) * MB * TIMES_UPLOAD
    asked = {
        "target": str(folder / TREE),
        "max_bytes": max_bytes,
        "sources": [(name, str(path)) for name, path in sources],
    }
    answer = confined_program.ask(
        "unpack",
        json.dumps(asked),
        read=[path for _, path in sources],
        write=[folder / TREE],
    )
    if "errno" in answer:
        raise OSError(answer["errno"], os.strerror(answer["errno"]))
    if "refused" in answer:
        raise ExchangeError(f"{answer['refused']}\nhint: nothing was imported")
    if not answer["files"]:
        raise ExchangeError("There is no file in it\nhint: nothing was imported")
    shutil.rmtree(folder / _UPLOADS, ignore_errors=True)
    kept = {"owner": owner, "files": answer["files"]}
    files.write_atomic(folder / _OWNER, json.dumps(kept), durable=False)
    return Staged(token=folder.name, files=_places(folder, answer["files"]))


def _places(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    return {name: folder / TREE / name for name in names}
