"""The user of Tempo after a start as root: PYSCHED_PUID and PYSCHED_PGID name the user of all but the launcher."""

import contextlib
import fcntl
import os
import pwd
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import django
from django.conf import settings
from django.core.management.base import CommandError

from runs_app.launcher.identity import file_access, users
from runs_app.launcher.identity.users import User
from tempo_site.bootstrap import ownership
from tempo_site.lib import paths

Say = Callable[[str], None]
RUNS_AS_ROOT = (
    "Tempo runs as root. hint: set PYSCHED_PUID and PYSCHED_PGID, then only its small launcher does"
)


def choose(say: Say) -> User | None:
    """Return the user to become, or None to stay the same user; `say` gets a line when the settings are ignored."""
    uid = os.geteuid()
    if uid != 0:
        if settings.PUID is not None and uid != settings.PUID:
            why_not = f"Tempo was not started as root but as user {uid}"
            say(f"PYSCHED_PUID {settings.PUID} is ignored: {why_not}.")
        return None
    user = _configured_user()
    if user is None:
        if settings.PUID is None:
            say(RUNS_AS_ROOT)
        return None
    why_not = users.why_not_root() or users.why_not(user)
    if why_not:
        say(f"PYSCHED_PUID {user.uid} is ignored: {why_not}. Everything runs as root.")
        return None
    return user


def step_down(*, begins_folder: bool = False) -> None:
    """Become the configured user for ever and give it the data folder; for commands that are given as root.

    Where none is configured, the user whose database it is: a file of root's would be closed to that one's Tempo.
    Without a database the user whose folder it is, but for a command that begins to use the folder. Raises
    CommandError where a Tempo of another user runs on the folder, and ends the process where that user cannot read
    Tempo or its Python; before anything is given.
    """
    if os.geteuid() != 0:
        return
    user = choose(lambda _notice: None) or _owner_of(paths.database())
    if user is None and not begins_folder and not paths.database().exists():
        user = _owner_of(paths.data())
    if user:
        _refuse_folder_in_use(user)
        act_as(user, _refuse_unreadable)
        take_over(user)
        users.become(user)


def _refuse_folder_in_use(user: User) -> None:
    # A Tempo that runs there as somebody else would be locked out of its own files.
    try:
        owner_uid = paths.database().lstat().st_uid
        if owner_uid == user.uid or not _is_locked(paths.service_lock()):
            return
    except FileNotFoundError:
        return
    raise CommandError(
        f"Tempo runs on the data folder {paths.data()} as user {owner_uid}, not as {user.uid} (PYSCHED_PUID).\n"
        "hint: set PYSCHED_PUID as that Tempo has it, or stop it first"
    )


def _is_locked(path: Path) -> bool:
    with file_access.as_owner_at(path):
        lock = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _owner_of(path: Path) -> User | None:
    # None for root, where PYSCHED_PUID decides, and for what is not there.
    if settings.PUID is not None:
        return None
    try:
        found = path.lstat()
    except OSError:
        return None
    owner = User(found.st_uid, found.st_gid)
    if owner.uid == 0 or users.why_not_root() or users.why_not(owner):
        return None
    return owner


def take_over(user: User) -> None:
    # A share may refuse and let that user in all the same: `refuse_unreachable` looks.
    with contextlib.suppress(PermissionError):
        ownership.hand_over(ownership.Owner(*user))
    os.environ["HOME"] = _home(user)


def act_as(user: User | None, act: Callable[[], None]) -> None:
    """Call `act` as `user`, in a process that can never be root again. End this process when `act` fails."""
    if user is None:
        act()
        return
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        os._exit(_as_child(user, act))
    _pid, wait_status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(wait_status)
    if code:
        sys.exit(abs(code))


def refuse_unreachable() -> None:
    """Raise CommandError when this process's user cannot read Tempo and its Python, or not write to the data folder."""
    _refuse_unreadable()
    refuse_unreadable_secrets()
    _refuse_unwritable(paths.data())
    for name in ownership.FOLDERS:
        folder = paths.data() / name
        if os.access(folder, os.F_OK):
            _refuse_unwritable(folder)


def _refuse_unreadable() -> None:
    for what, path in _needed_files():
        if not os.access(path, os.R_OK):
            hint = "move Tempo to where others may read it"
            raise _refusal(f"cannot read {what}, `{path}`", path, hint)


def _refuse_unwritable(folder: Path) -> None:
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        hint = f"give it that folder (`chown -R {os.geteuid()}:{os.getegid()} {folder}`)"
        raise _refusal(f"cannot write to the data folder, `{folder}`", str(folder), hint)


def refuse_unreadable_secrets() -> None:
    """Raise CommandError for a file of a secret that root has read and this process's user cannot."""
    for variable, path in settings.SECRET_FILES.items():
        if not os.access(path, os.R_OK):
            hint = "let that user read it"
            raise _refusal(f"cannot read `{path}`, which {variable} names", path, hint)


def _needed_files() -> list[tuple[str, str]]:
    packages: ModuleType = django
    return [
        ("its Python", sys.executable),
        ("its Python", os.__file__),
        ("its packages", str(packages.__file__)),
        ("Tempo's code", str(settings.BASE_DIR / "manage.py")),
    ]


def _refusal(sentence: str, path: str, hint: str) -> CommandError:
    uid = os.geteuid()
    subject = f"User {uid}"
    if uid == settings.PUID:
        subject += " (PYSCHED_PUID)"
        hint += ", or choose another user"
    closed = _closed_folder_above(Path(path))
    if closed:
        sentence += f": `{closed}` is closed to it"
    return CommandError(f"{subject} {sentence}.\nhint: {hint}")


def _closed_folder_above(path: Path, *, links: int = 10) -> Path | None:
    # The first folder on the way to a file, by its links, that this process may not enter.
    for folder in reversed(path.parents):
        if not os.access(folder, os.X_OK):
            return folder
    if path.is_symlink() and links:
        return _closed_folder_above(path.parent / path.readlink(), links=links - 1)
    return None


def _configured_user() -> User | None:
    # None without a user, and for root.
    if not settings.PUID:
        return None
    gid = settings.PUID if settings.PGID is None else settings.PGID
    return User(settings.PUID, gid)


def _as_child(user: User, act: Callable[[], None]) -> int:
    try:
        users.become(user)
        act()
    except CommandError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _home(user: User) -> str:
    # The data folder for a user without a name or without a home.
    try:
        home = pwd.getpwuid(user.uid).pw_dir
    except KeyError:
        return str(paths.data())
    if not Path(home).is_dir():
        return str(paths.data())
    return home
