"""The server's time zone: the operator's variable, else the one chosen at the set-up, else UTC."""

import functools
import os
import time
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.utils import timezone

from tempo_site.lib import files

FALLBACK = "UTC"
MAX_LENGTH = 64
# Other files among the zones of a machine.
NO_ZONES = ("posix", "right", "posixrules", "localtime", "Factory")
HINT = "hint: write a name like `Europe/Berlin` into it, or set PYSCHED_TIME_ZONE"


def current() -> ZoneInfo:
    """Return the zone in which pages write times."""
    return ZoneInfo(timezone.get_current_timezone_name())


def is_known(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return 0 < len(name) <= MAX_LENGTH and name.partition("/")[0] not in NO_ZONES


@functools.cache
def names() -> list[str]:
    """Return every zone of this machine that can be chosen. Reads a few hundred files, once."""
    return sorted(name for name in available_timezones() if is_known(name))


def choose(configured: str, data_path: Path) -> tuple[str, str]:
    """Return the zone to use and, when the stored zone cannot be used, a sentence for the operator (else "")."""
    if configured:
        return configured, ""
    path = file_in(data_path)
    try:
        stored = path.read_text().strip()
    except FileNotFoundError:
        return FALLBACK, ""
    except (OSError, UnicodeDecodeError) as error:
        sentence = f"{path} cannot be read ({type(error).__name__}); times are in UTC."
        return FALLBACK, f"{sentence} {HINT}"
    if is_known(stored):
        return stored, ""
    sentence = (
        f"{path} names the zone `{stored[:MAX_LENGTH]}`, unknown to this machine; times are in UTC."
    )
    return FALLBACK, f"{sentence} {HINT}"


def file_in(data_path: Path) -> Path:
    """Return where the chosen zone is stored; the settings ask before `paths` can be used."""
    return data_path / "time_zone"


def store(name: str) -> None:
    """Make a known zone this server's from now on: in this process, and in later processes. Raises OSError."""
    apply(name)
    files.write_atomic(file_in(Path(settings.DATA_PATH)), f"{name}\n")


def apply(name: str) -> None:
    """Show and ask for times in this zone; the log of this process and new runs of scripts follow."""
    settings.TIME_ZONE = name
    os.environ["TZ"] = name
    time.tzset()
    timezone.get_default_timezone.cache_clear()  # type: ignore[attr-defined]  # the stubs know no cache of it
