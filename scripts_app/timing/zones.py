"""Time zones: one by its name, and the stretches of time in which its clock keeps one offset from UTC."""

import contextlib
import difflib
import hashlib
import importlib.util
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo, available_timezones

from scripts_app.timing.cron_expression import TimingError
from scripts_app.timing.wall_clock import DAY_S

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
# In seconds since 1970, and far enough from the calendar's ends for any offset.
EARLIEST = (datetime(1, 1, 10, tzinfo=UTC) - EPOCH) // SECOND
LATEST = (datetime(9999, 12, 20, tzinfo=UTC) - EPOCH) // SECOND
# No zone has ever changed its offset twice in so short a time (tzdata 2026: four days at least).
_PROBE_S = 3 * DAY_S
_ZONE_NAME = re.compile(
    r"(?!posix|right/|localtime)[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}"
)


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """UTC seconds [start, end) in which a zone keeps one offset, which it changed by `jump` at `began`."""

    start: int
    end: int
    offset: int
    began: int
    jump: int  # 0 when the change is too long ago to matter

    @property
    def changed_walls(self) -> tuple[int, int]:
        """Return the wall-clock times [from, to) which the change at `began` skipped or repeats."""
        after = self.began + self.offset
        before = after - self.jump
        return min(before, after), max(before, after)


# The digests of the rules that zones were read from, by name.
_read: dict[str, bytes] = {}


@lru_cache(maxsize=128)
def zone_of(name: str) -> ZoneInfo:
    """Return a zone by its IANA name. Raise TimingError, with a suggestion, for an unknown name."""
    if _ZONE_NAME.fullmatch(name):
        with contextlib.suppress(ValueError, OSError, KeyError):  # KeyError: ZoneInfoNotFoundError
            _read[name] = _digest(name)
            return ZoneInfo(name)
    names = {known.lower(): known for known in available_timezones() if _ZONE_NAME.fullmatch(known)}
    close = difflib.get_close_matches(name[:64].lower(), names, n=1)
    hint = "use an IANA name such as `Europe/Berlin` or `UTC`"
    if close:
        hint = f"did you mean `{names[close[0]]}`?"
    raise TimingError("timezone", f"There is no time zone `{name[:64]}`: {hint}")


def forget_changed() -> list[str]:
    """Return the zones whose rules are other ones on the disk by now; from here on they count."""
    changed = [name for name, digest in _read.items() if _digest(name) != digest]
    if changed:
        _read.clear()
        ZoneInfo.clear_cache(only_keys=changed)
        zone_of.cache_clear()
    return changed


def _digest(name: str) -> bytes:
    # As zoneinfo finds them: the system's, else those of the package tzdata. By content: a system may have no version.
    for folder in (*TZPATH, *_folders_of_package()):
        with contextlib.suppress(OSError):
            return hashlib.sha256(Path(f"{folder}/{name}").read_bytes()).digest()
    return b""


def _folders_of_package() -> list[Path]:
    found = importlib.util.find_spec("tzdata")
    if found is None or found.submodule_search_locations is None:
        return []
    return [Path(folder) / "zoneinfo" for folder in found.submodule_search_locations]


def stretches(zone: ZoneInfo, start: int, end: int) -> Iterator[Stretch]:
    began = start - 2 * DAY_S
    jump = 0
    for change in (*_changes(zone, began, end), end):
        offset = _offset(zone, began)
        if change > start:
            first = max(start, began)
            yield Stretch(start=first, end=change, offset=offset, began=began, jump=jump)
        began = change
        jump = _offset(zone, change) - offset


# The seconds in (start, end) from which another offset holds.
def _changes(zone: ZoneInfo, start: int, end: int) -> Iterator[int]:
    before = _offset(zone, start)
    for second in range(start, end, _PROBE_S):
        last = min(second + _PROBE_S, end - 1)
        after = _offset(zone, last)
        if after != before:
            yield _first_with_another_offset(zone, second, last)
        before = after


def _first_with_another_offset(zone: ZoneInfo, low: int, high: int) -> int:
    before = _offset(zone, low)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, middle) == before:
            low = middle
        else:
            high = middle
    return high


# The seconds by which the zone's clock is ahead of UTC.
def _offset(zone: ZoneInfo, second: int) -> int:
    offset = datetime.fromtimestamp(min(max(second, EARLIEST), LATEST), zone).utcoffset()
    if offset is None:
        return 0
    return offset // SECOND
