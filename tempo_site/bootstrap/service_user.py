"""Who Tempo is where it was started as root: PYSCHED_PUID and PYSCHED_PGID name the user of all but the launcher."""

import contextlib
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

from runs_app.launcher.identity import users
from runs_app.launcher.identity.users import User
from tempo_site.lib import ownership, paths

Say = Callable[[str], None]
RUNS_AS_ROOT = (
    "Tempo runs as root. hint: set PYSCHED_PUID and PYSCHED_PGID, then only its small launcher does"
)


def choose(say: Say) -> User | None:
    """Return the user to become, or None to stay: as nobody asked for one, or as it cannot be, which `say` is told."""
    asked = _asked()
    if os.geteuid() != 0:
        if settings.PUID is not None and os.geteuid() != settings.PUID:
            say(
                f"PYSCHED_PUID {settings.PUID} is ignored: Tempo was not started as root but as user {os.geteuid()}."
            )
        return None
    if asked is None:
        if settings.PUID is None:
            say(RUNS_AS_ROOT)
        return None
    if why_not := users.why_not_root() or users.why_not(asked):
        say(f"PYSCHED_PUID {asked.uid} is ignored: {why_not}. Everything runs as root.")
        return None
    return asked


def step_down() -> None:
    """Be that user for ever, with the data folder its own; for commands that somebody gives as root."""
    if os.geteuid() == 0 and (user := choose(lambda _notice: None)):
        take_over(user)
        users.become(user)


def take_over(user: User) -> None:
    """Give the data folder to `user` and make its home known."""
    # A share may refuse, and let that user in all the same: `refuse_unreachable` looks.
    with contextlib.suppress(PermissionError):
        ownership.hand_over(ownership.Owner(*user))
    os.environ["HOME"] = _home(user)


def act_as(user: User | None, act: Callable[[], None]) -> None:
    """Call `act` as `user`, in a process that can never be root again. Ends this one when that fails."""
    if user is None:
        act()
        return
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        os._exit(_as_child(user, act))
    _pid, wait_status = os.waitpid(pid, 0)
    if code := os.waitstatus_to_exitcode(wait_status):
        sys.exit(abs(code))


def refuse_unreachable() -> None:
    """Raise CommandError when this process's user cannot read Tempo and its Python, or not write to the data folder."""
    for what, path in _needed():
        if not os.access(path, os.R_OK):
            raise _refusal(
                f"cannot read {what}, `{path}`", path, "move Tempo to where others may read it"
            )
    for folder in (paths.data(), *(paths.data() / name for name in ownership.FOLDERS)):
        is_there = folder == paths.data() or os.access(folder, os.F_OK)
        if is_there and not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            hint = f"give it that folder (`chown -R {os.geteuid()}:{os.getegid()} {folder}`)"
            raise _refusal(f"cannot write to the data folder, `{folder}`", str(folder), hint)


def _needed() -> list[tuple[str, str]]:
    packages: ModuleType = django
    return [
        ("its Python", sys.executable),
        ("its Python", os.__file__),
        ("its packages", str(packages.__file__)),
        ("Tempo's code", str(settings.BASE_DIR / "manage.py")),
    ]


def _refusal(sentence: str, path: str, hint: str) -> CommandError:
    uid = os.geteuid()
    named, another = (
        (" (PYSCHED_PUID)", ", or choose another user") if uid == settings.PUID else ("", "")
    )
    closed = _closed_on_the_way(Path(path))
    because = f": `{closed}` is closed to it" if closed else ""
    return CommandError(f"User {uid}{named} {sentence}{because}.\nhint: {hint}{another}")


def _closed_on_the_way(path: Path, *, links: int = 10) -> Path | None:
    """The first folder on the way to a file, by its links, that this process may not enter."""
    for folder in reversed(path.parents):
        if not os.access(folder, os.X_OK):
            return folder
    if path.is_symlink() and links:
        return _closed_on_the_way(path.parent / path.readlink(), links=links - 1)
    return None


def _asked() -> User | None:
    """The user that was named; None for nobody and for root."""
    if not settings.PUID:
        return None
    return User(settings.PUID, settings.PUID if settings.PGID is None else settings.PGID)


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
    """Its home as the system knows it; the data folder for a number without a name."""
    try:
        home = pwd.getpwuid(user.uid).pw_dir
    except KeyError:
        return str(paths.data())
    return home if Path(home).is_dir() else str(paths.data())
