"""The hold after a restore: nothing starts by itself and nothing speaks outward until somebody says so.

The old machine may still run. The note is a file, put into place by the first step of a restore: asking for it costs no
query, and commands see it as well.
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime

from tempo_site.audit import trail
from tempo_site.backups.signals import released
from tempo_site.lib import files, paths

MAX_BYTES = 64 * 1024
REASON = "This is a restored Tempo, and the old machine may still run: it is held until somebody resumes it."


@dataclass(frozen=True, kw_only=True)
class Hold:
    """`backup` is the name of the file, `made_at` of when it is, `aside` the folder with the data of before."""

    backup: str
    made_at: str
    restored_at: str
    aside: str
    has_secret_key: bool = False
    is_adapted: bool = False

    @property
    def made(self) -> datetime:
        return datetime.fromisoformat(self.made_at)

    def encode(self) -> str:
        return json.dumps(asdict(self), indent=1)


def is_held() -> bool:
    return paths.held().exists()


def current() -> Hold | None:
    """Return the hold; None where nothing is held, and for a note that cannot be read an empty hold."""
    try:
        content = files.read_regular(paths.held(), max_bytes=MAX_BYTES)
    except FileNotFoundError:
        return None
    try:
        return Hold(**json.loads(content))
    except (ValueError, TypeError):
        return Hold(backup="-", made_at="1970-01-01T00:00:00+00:00", restored_at="", aside="")


def store(hold: Hold) -> None:
    files.write_atomic(paths.held(), hold.encode())


def release() -> Hold | None:
    """End the hold: schedules, triggers and messages go on. Return the hold, None without one."""
    hold = current()
    if hold is None:
        return None
    trail.record("resumed", kind="restored Tempo", name=hold.backup)
    paths.held().unlink(missing_ok=True)
    files.sync_folder(paths.data())
    released.send_robust(None)
    return hold
