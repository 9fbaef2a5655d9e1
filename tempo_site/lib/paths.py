"""Where everything lies in the data folder; nobody else builds such a path."""

import contextlib
import os
import stat
from datetime import datetime
from pathlib import Path

from django.conf import settings

# Set by whoever can start scripts as users of their own: those have to pass through the folders above their own.
SCRIPT_USERS = "TEMPO_SCRIPT_USERS"
CLOSED = 0o700
SECRET = ("secret_key", "setup_token", "tempo.sqlite3", "tempo.sqlite3-wal", "tempo.sqlite3-shm")
PASSABLE = 0o711  # others may enter what they know the name of, and list nothing


def data() -> Path:
    """The data folder (`PYSCHED_DATA_PATH`)."""
    return Path(settings.DATA_PATH)


def runs() -> Path:
    """All run folders, one sub-folder a month."""
    return data() / "runs"


def run_folder(name: str) -> Path:
    """The folder of one run; `name` is `<yyyy-mm>/<id>-<random>` as stored with the row."""
    return runs() / name


def month(moment: datetime) -> str:
    """The sub-folder of `runs/` for a moment: `2026-11`."""
    return f"{moment:%Y-%m}"


def script(slug: str) -> Path:
    """A script's folder: `main.py` and `requirements.txt` (readable copies) and `files/`."""
    return data() / "scripts" / slug


def script_files(slug: str) -> Path:
    """The lasting working folder of a script."""
    return script(slug) / "files"


def environments() -> Path:
    """All environments, one folder each, named by their digest."""
    return data() / "envs"


def cache() -> Path:
    """uv's cache; on the same volume as the environments, so that packages are hard links."""
    return data() / "cache"


def pythons() -> Path:
    """The Pythons that Tempo installed, one folder each; scripts run with them, so they pass through."""
    return data() / "pythons"


def disk_use() -> Path:
    """What environments and cache take on the disk, as it was last measured."""
    return bells() / "disk-use.json"


def bells() -> Path:
    """Sockets and locks of the running service."""
    return data() / "run"


def engine_lock() -> Path:
    """Held by the one engine of this data folder."""
    return bells() / "engine.lock"


def service_lock() -> Path:
    """Held by the one launcher of this data folder."""
    return bells() / "service.lock"


def setup_token() -> Path:
    """The one-time token of the set-up address; there until the first admin is."""
    return data() / "setup_token"


def has_script_users() -> bool:
    """Whether scripts run as users of their own here."""
    return os.environ.get(SCRIPT_USERS) == "1"


def make_all() -> None:
    """Create the data folder and its parts: what scripts have to pass through, and what is closed to everybody else."""
    for folder in (runs(), environments(), pythons(), data() / "scripts"):
        make_passable(folder)
    for folder in (cache(), bells()):
        make_closed(folder)
    for name in SECRET:
        # not there yet, a link, or another's: using it will tell
        with contextlib.suppress(OSError):
            _close(data() / name)


def make_passable(folder: Path) -> None:
    """Create a folder within the data folder and all above it, whatever the umask is. Raises OSError.

    The users of scripts may pass through each of them, where there are such users; else they are closed.
    """
    within = folder.relative_to(data()).parts
    data().parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    mode = PASSABLE if has_script_users() else CLOSED
    for count in range(len(within) + 1):
        _make(data().joinpath(*within[:count]), mode)


def make_closed(folder: Path) -> None:
    """Create a folder that is for its owner alone. Raises OSError."""
    _make(folder, CLOSED)


def _close(file: Path) -> None:
    """Take away what others may do: one that was copied back by hand may be open to all."""
    fd = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.fchmod(fd, 0o600)
    finally:
        os.close(fd)


def _make(folder: Path, mode: int) -> None:
    folder.mkdir(mode=mode, exist_ok=True)
    # One that was there keeps its mode unless scripts have to pass: its owner may have opened it to somebody.
    if mode == PASSABLE:
        # somebody else's, a link, a share without modes: using it will tell
        with contextlib.suppress(OSError):
            _open_up(folder)


def _open_up(folder: Path) -> None:
    """Make it passable; by its descriptor, as root must not be led elsewhere by a link within the data folder."""
    no_link = 0 if folder == data() else os.O_NOFOLLOW
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | no_link)
    try:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) != PASSABLE:
            os.fchmod(descriptor, PASSABLE)
    finally:
        os.close(descriptor)
