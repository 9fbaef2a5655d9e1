"""The backups there are: files in `backups/`, each with a small file of facts beside it, and which of them go."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings

from tempo_site.lib import files, paths
from tempo_site.stored_settings import backup, store

LAST_DAY = timedelta(days=1)
PREFIX = "tempo-"
UPLOADED = "uploaded"  # in the place of a version
FACTS = ".json"
MAX_FACTS_BYTES = 2**20
MB = 2**20
_NAME = re.compile(
    r"tempo-(\d{8}T\d{6}Z)-([0-9a-z.]{1,30})(-\d+)?\.tar\.(zst|gz)(\.sealed)?", re.ASCII
)
_MOMENT = "%Y%m%dT%H%M%SZ"


class NoSuchBackup(Exception):
    """There is no such backup.\nhint: the page Backups lists them"""


@dataclass(frozen=True, kw_only=True)
class BackupFile:
    """`facts` is the manifest without its members, of a backup that was read from end to end; else empty."""

    path: Path
    created_at: datetime
    version: str
    size: int
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def is_sealed(self) -> bool:
        return self.name.endswith(".sealed")

    @property
    def has_secret_key(self) -> bool:
        return bool(self.facts.get("has_secret_key"))

    @property
    def verified_at(self) -> datetime | None:
        try:
            return datetime.fromisoformat(self.facts["verified_at"])
        except (LookupError, ValueError, TypeError):
            return None

    @property
    def scripts(self) -> int | None:
        return self.rows_of("scripts_app_script")

    @property
    def runs(self) -> int | None:
        return self.rows_of("runs_app_run")

    @property
    def left_out(self) -> int:
        return int(self.facts.get("left_out_count", 0))

    def rows_of(self, table: str) -> int | None:
        counts = self.facts.get("counts", {})
        found = counts.get(table) if isinstance(counts, dict) else None
        return found if isinstance(found, int) else None


def is_name(name: str) -> bool:
    """Return whether a file of this name is listed as a backup."""
    return _NAME.fullmatch(name) is not None


def new_path(folder: Path, *, kind: str, is_sealed: bool, now: datetime, version: str = "") -> Path:
    """Return a path that no backup has. `version` is that which has written the data, where it is another one."""
    ending = f".tar.{kind}" + (".sealed" if is_sealed else "")
    return _free_path(folder, version or settings.VERSION, ending, now)


def path_of_upload(folder: Path, ending: str, *, now: datetime) -> Path:
    """Return a path for a backup that came under a name of its own, and whose version is not known yet."""
    return _free_path(folder, UPLOADED, ending, now)


def _free_path(folder: Path, version: str, ending: str, now: datetime) -> Path:
    stem = f"{PREFIX}{now.astimezone(UTC).strftime(_MOMENT)}-{version}"
    path, number = folder / f"{stem}{ending}", 1
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}{ending}"
    return path


def facts_path(backup_path: Path) -> Path:
    return backup_path.with_name(backup_path.name + FACTS)


def listed(folder: Path | None = None) -> list[BackupFile]:
    """Return the backups of a folder, newest first."""
    found = []
    try:
        for path in (folder or paths.backups()).iterdir():
            row = _read(path)
            if row is not None:
                found.append(row)
    except FileNotFoundError:
        return []
    return sorted(found, key=lambda row: (row.created_at, row.name), reverse=True)


def named(name: str) -> BackupFile:
    """Return the backup of this name in `backups/`. Raise NoSuchBackup."""
    row = _read(paths.backups() / name) if _NAME.fullmatch(name) else None
    if row is None:
        raise NoSuchBackup(NoSuchBackup.__doc__)
    return row


def newest_good() -> BackupFile | None:
    """Return the newest backup that was read back."""
    return next((row for row in listed() if row.verified_at), None)


def delete(row: BackupFile) -> None:
    row.path.unlink(missing_ok=True)
    facts_path(row.path).unlink(missing_ok=True)


def delete_old(folder: Path | None = None) -> list[str]:
    """Delete the backups of a folder that are beyond what is kept; return their names."""
    gone = beyond(listed(folder))
    for row in gone:
        delete(row)
    return [row.name for row in gone]


def beyond(rows: Sequence[BackupFile]) -> list[BackupFile]:
    """Return which of these, newest first, are not kept."""
    kept = {row.name for row in keep(rows)}
    return [row for row in rows if row.name not in kept]


def keep(rows: Sequence[BackupFile]) -> list[BackupFile]:
    """Return which of these, newest first, are kept within the megabytes.

    All of the last day, and the newest of each of so many days, weeks and months.
    """
    wanted = {row.name for row in rows if rows[0].created_at - row.created_at < LAST_DAY}
    for setting, period in ((backup.DAILY, _day), (backup.WEEKLY, _week), (backup.MONTHLY, _month)):
        wanted |= _newest_of_each(rows, period, count=int(store.value(setting)))
    kept: list[BackupFile] = []
    room = int(store.value(backup.MEGABYTES)) * MB
    for row in rows:
        room -= row.size if row.name in wanted else 0
        if row.name in wanted and (room >= 0 or not kept):
            kept.append(row)
    return kept


def _newest_of_each(rows: Iterable[BackupFile], period: Any, *, count: int) -> set[str]:
    newest: dict[tuple[int, ...], str] = {}
    for row in rows:
        newest.setdefault(period(row.created_at), row.name)
    return set(list(newest.values())[:count])


def _day(moment: datetime) -> tuple[int, ...]:
    return (moment.toordinal(),)


def _week(moment: datetime) -> tuple[int, ...]:
    return tuple(moment.isocalendar()[:2])


def _month(moment: datetime) -> tuple[int, ...]:
    return (moment.year, moment.month)


def _read(path: Path) -> BackupFile | None:
    match = _NAME.fullmatch(path.name)
    if match is None or path.is_symlink() or not path.is_file():
        return None
    try:
        created_at = datetime.strptime(match[1], _MOMENT).replace(tzinfo=UTC)
    except ValueError:
        return None
    size = path.stat().st_size
    return BackupFile(
        path=path, created_at=created_at, version=match[2], size=size, facts=_facts(path, size)
    )


def _facts(path: Path, size: int) -> dict[str, Any]:
    try:
        facts = json.loads(files.read_regular(facts_path(path), max_bytes=MAX_FACTS_BYTES))
    except (OSError, ValueError):
        return {}
    if not isinstance(facts, dict) or facts.get("file_bytes") != size:
        return {}  # of another file that had this name
    return facts
