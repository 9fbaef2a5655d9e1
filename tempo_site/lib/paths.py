"""Paths in the data folder; no other module builds such a path."""

import contextlib
import os
import stat
from datetime import datetime
from pathlib import Path

from django.conf import settings

# Set where scripts run as users of their own: these users have to pass through the folders above their own.
SCRIPT_USERS = "TEMPO_SCRIPT_USERS"
CLOSED = 0o700
DATABASE = "tempo.sqlite3"
DATABASE_FILES = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", f"{DATABASE}-journal")
SECRET = ("secret_key", "setup_token", *DATABASE_FILES)
PASSABLE = 0o711  # others may enter by name, and list nothing


def data() -> Path:
    path: Path = settings.DATA_PATH
    return path


def runs() -> Path:
    return data() / "runs"


def run_folder(name: str) -> Path:
    """Return the folder of a run; `name` is `<yyyy-mm>/<id>-<random>` as stored with the row."""
    return runs() / name


def month(moment: datetime) -> str:
    return f"{moment:%Y-%m}"


def scripts() -> Path:
    return data() / "scripts"


def script(slug: str) -> Path:
    """Return a script's folder: `main.py` and `requirements.txt` (readable copies) and `files/`."""
    return scripts() / slug


def script_files(slug: str) -> Path:
    return script(slug) / "files"


def uploads_note(slug: str) -> Path:
    """Return the file that tells the launcher of uploads in `files/`, which it gives to the script's user."""
    return script(slug) / "uploaded"


def environments() -> Path:
    return data() / "envs"


def cache() -> Path:
    """Return uv's cache; on the same volume as the environments, so that packages are hard links."""
    return data() / "cache"


def pythons() -> Path:
    return data() / "pythons"


def database() -> Path:
    """Return the database's file. Only SQLite may open it: closing it otherwise would drop SQLite's locks."""
    return data() / DATABASE


def database_log() -> Path:
    """Return the log (WAL), which lies beside the file where that is a link."""
    file = database().resolve()
    return file.with_name(f"{file.name}-wal")


def backups() -> Path:
    return data() / "backups"


def imports() -> Path:
    """Return the folder of what was handed in to be imported, each in a folder of its own, for an hour or two."""
    return data() / "imports"


def restore() -> Path:
    """Return the folder of a restore under way: what is unpacked, and the journal of its steps."""
    return data() / "restore"


def held() -> Path:
    """Return the note that holds whatever starts by itself or speaks outward, since a backup was put back."""
    return data() / "held"


def backup_work() -> Path:
    """Return the folder in which backups are unpacked to be looked at; it may be deleted."""
    return backups() / ".unpacked"


def mirror() -> Path:
    """Return the folder of the git mirror: its repository, the hosts it knows, and what became of it."""
    return data() / "mirror"


def search() -> Path:
    """Return the folder of the index over the output of all runs; it can be deleted, and is made anew."""
    return data() / "search"


def disk_use() -> Path:
    return bells() / "disk-use.json"


def bells() -> Path:
    return data() / "run"


def service_report() -> Path:
    return bells() / "service.json"


def engine_lock() -> Path:
    return bells() / "engine.lock"


def service_lock() -> Path:
    return bells() / "service.lock"


def ballast() -> Path:
    return data() / "ballast"


def setup_token() -> Path:
    """Return the file with the one-time token of the set-up address; removed when there is an admin."""
    return data() / "setup_token"


def has_script_users() -> bool:
    return os.environ.get(SCRIPT_USERS) == "1"


def make_all() -> None:
    """Create the data folder and its parts: folders that scripts pass through, and folders closed to other users."""
    for folder in (runs(), environments(), pythons(), scripts()):
        make_passable(folder)
    for folder in (cache(), bells(), search()):
        make_closed(folder)
    for name in SECRET:
        # Not there yet, a link, or another user's: the first use will tell.
        with contextlib.suppress(OSError):
            _close(data() / name)


def make_passable(folder: Path) -> None:
    """Create a folder within the data folder and all folders above, whatever the umask is. Raises OSError.

    Users of scripts may pass through; without such users the folders are closed.
    """
    path, wanted = str(data()), str(folder)
    if wanted != path and not wanted.startswith(f"{path}/"):
        raise ValueError(f"{folder} is not within {path}")
    if not data().is_dir():
        data().parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    mode = PASSABLE if has_script_users() else CLOSED
    _make(path, mode, may_be_link=True)
    for name in wanted[len(path) :].split("/")[1:]:
        path = f"{path}/{name}"
        _make(path, mode, may_be_link=False)


def make_closed(folder: Path) -> None:
    _make(str(folder), CLOSED, may_be_link=False)


def _close(file: Path) -> None:
    # A file that was copied back by hand may be open to all. O_PATH: closing it leaves SQLite's locks alone.
    fd = os.open(file, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if stat.S_ISREG(os.fstat(fd).st_mode):
            os.chmod(f"/proc/self/fd/{fd}", 0o600)  # noqa: PTH101 - a descriptor's name
    finally:
        os.close(fd)


def _make(folder: str, mode: int, *, may_be_link: bool) -> None:
    if _is_made(folder, mode, may_be_link=may_be_link):
        return
    Path(folder).mkdir(mode=mode, exist_ok=True)
    # A folder that was there keeps its mode unless scripts have to pass: its owner may have opened it to others.
    if mode == PASSABLE:
        # Another user's, a link, a share without modes: the first use will tell.
        with contextlib.suppress(OSError):
            _open_up(folder, may_be_link=may_be_link)


def _is_made(folder: str, mode: int, *, may_be_link: bool) -> bool:
    # Every run passes by here, and nearly always there is nothing to do: a Path takes longer than the look.
    try:
        found = os.stat(folder, follow_symlinks=may_be_link).st_mode  # noqa: PTH116
    except OSError:
        return False
    return stat.S_ISDIR(found) and (mode != PASSABLE or stat.S_IMODE(found) == PASSABLE)


def _open_up(folder: str, *, may_be_link: bool) -> None:
    # By its descriptor: root must not be led elsewhere by a link within the data folder.
    no_link = 0 if may_be_link else os.O_NOFOLLOW
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | no_link)
    try:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) != PASSABLE:
            os.fchmod(descriptor, PASSABLE)
    finally:
        os.close(descriptor)
