"""The layers that isolate a script: the layers of this machine, and the layers that a run really gets."""

import contextlib
import os
import sys
from collections.abc import Iterable
from typing import NamedTuple

from runs_app.launcher import folders
from runs_app.launcher.identity import data_folder, landlock, names, prctl, users
from runs_app.launcher.identity.data_folder import FileSystem
from runs_app.launcher.identity.names import NAMELESS, Naming
from runs_app.launcher.identity.users import User
from runs_app.launcher.spec import CONFINED, IsolationSpec, Spec

STRONG, GOOD, BASIC, NONE = "strong", "good", "basic", ""
_TMP = "/tmp"
_RANK = {NONE: 0, BASIC: 1, GOOD: 2, STRONG: 3}


class IsolationError(Exception):
    """A run that must not be started; the message says why."""


class IsolationSupport(NamedTuple):
    """The layers found at the start of the launcher. A reason is "" where the layer can be had."""

    pool: range  # of users for scripts
    users_why_not: str
    landlock_abi: int  # 0: none
    landlock_why_not: str
    web: User
    file_system: FileSystem = FileSystem()
    web_name: str = ""
    names_library: str = ""  # see names
    can_mount: bool = False
    closed_way: str = ""  # keeps a script's user from Tempo's own Python, or from the data folder

    @property
    def best(self) -> "IsolationResult":
        """The most that a run can get, whichever its Python."""
        uid = None if self.users_why_not else self.pool.start
        return _result(self, uid, self.users_why_not)

    @property
    def usual(self) -> "IsolationResult":
        """What a run on Tempo's own Python gets."""
        if self.users_why_not or not self.closed_way:
            return self.best
        return _result(self, None, self.closed_way)


class IsolationResult(NamedTuple):
    grade: str  # strong | good | basic | "" for a program of Tempo's own
    why: str  # one sentence
    degraded: bool = False  # less than this installation can give


NOTHING = IsolationResult(NONE, "")


class Plan(NamedTuple):
    user: User | None  # to become; None: stay
    has_own_user: bool
    is_script: bool  # and so without any capability
    landlock: IsolationSpec | None  # the paths to open; None: without Landlock
    result: IsolationResult
    gives_files: bool = False  # to the user
    naming: Naming = NAMELESS
    has_own_tmp: bool = False  # the `tmp/` of its run is what it sees as /tmp


def probe(*, pool: tuple[int, int], web: User, data: str) -> IsolationSupport:
    """Try each layer once. `TEMPO_WITHOUT` names what to do without: `landlock`, `users`, `names`, `mounts`."""
    without = os.environ.get("TEMPO_WITHOUT", "").split()
    first, last = pool
    if "users" in without:
        users_why_not = "own users are switched off (TEMPO_WITHOUT)"
    else:
        users_why_not = users.why_not_root() or users.why_not(User(first, first))
    script_user = None if users_why_not else User(first, first)
    file_system = data_folder.look(data, web=web, script=script_user)
    if "landlock" in without:
        landlock_abi, landlock_why_not = 0, "it is switched off (TEMPO_WITHOUT)"
    else:
        landlock_abi, landlock_why_not = _probe_landlock()
    return IsolationSupport(
        pool=range(first, last + 1),
        users_why_not=users_why_not or file_system.users_why_not,
        landlock_abi=landlock_abi,
        landlock_why_not=landlock_why_not,
        web=web,
        file_system=file_system,
        web_name=names.of_user(web.uid),
        names_library="" if "names" in without else names.find_library(),
        can_mount="mounts" not in without and _can_mount(data),
        closed_way=_closed_way((sys.executable, os.path.dirname(data)), User(first, first)),
    )


def plan(spec: Spec, support: IsolationSupport) -> Plan:
    """Decide on the isolation of a run. Raise IsolationError."""
    wanted = spec.isolation
    # Not by looking at capabilities: a process that makes files as web's user has given some up for that time.
    serving = support.web if os.geteuid() == 0 and support.web.uid != 0 else None
    if wanted is None:
        return Plan(serving, has_own_user=False, is_script=False, landlock=None, result=NOTHING)
    own_user, why_no_user = _own_user(wanted, spec, support)
    result = _result(support, own_user.uid if own_user else None, why_no_user)
    if wanted.require == CONFINED:
        is_kept_by_user = own_user is not None and not support.file_system.modes_why_not
        if not is_kept_by_user and not support.landlock_abi:
            raise IsolationError(f"isolation: it would have all rights of Tempo. {result.why}")
    elif _RANK[result.grade] < _RANK[wanted.require]:
        raise IsolationError(
            f"isolation: {wanted.require.title()} is required (PYSCHED_REQUIRE_ISOLATION), "
            f"it would be {result.grade.title()}. {result.why}"
        )
    is_degraded = _RANK[result.grade] < _RANK[support.best.grade]
    return Plan(
        user=own_user or serving,
        has_own_user=own_user is not None,
        is_script=True,
        landlock=wanted if support.landlock_abi else None,
        result=result._replace(degraded=is_degraded),
        gives_files=support.file_system.keeps_owners,
        naming=_naming(spec, wanted, own_user, support),
        has_own_tmp=support.can_mount and not _needs_tmp(spec, wanted),
    )


def _own_user(
    wanted: IsolationSpec, spec: Spec, support: IsolationSupport
) -> tuple[User | None, str]:
    if wanted.uid is not None and wanted.uid not in support.pool:
        raise IsolationError(f"isolation: {wanted.uid} is not among the users for scripts")
    if wanted.uid is None or support.users_why_not:
        return None, wanted.uid_why or support.users_why_not
    user = User(wanted.uid, wanted.uid)
    # The working folder itself becomes the user's; the way to the folder has to be open.
    places = map(os.fsdecode, (spec.argv[0], os.path.dirname(spec.cwd)))
    if obstacle := _closed_way(places, user):
        return None, obstacle
    return user, ""


def _closed_way(places: Iterable[str], user: User) -> str:
    obstacles = (users.obstacle(place, user) for place in places)
    return next(filter(None, obstacles), "")


def _result(support: IsolationSupport, uid: int | None, why_no_user: str) -> IsolationResult:
    if uid is not None:
        return _result_with_user(support)
    abi = support.landlock_abi
    no_user = f"no user of its own: {why_no_user or 'none was asked for'}."
    if not abi:
        return IsolationResult(BASIC, f"No Landlock: {support.landlock_why_not}; {no_user}")
    kept = "Landlock keeps it to its own files"
    if abi < landlock.SIGNALS_ABI:
        gap = f"this kernel's (ABI {abi}) does not cover signals, Linux 6.12 does"
        return IsolationResult(BASIC, f"{kept}, but {gap}; {no_user}")
    starter = users.socket_that_starts_programs(support.web)
    if starter:
        return IsolationResult(
            BASIC, f"{kept}, but {starter} starts programs outside of it; {no_user}"
        )
    return IsolationResult(GOOD, f"{kept}; {no_user}")


def _result_with_user(support: IsolationSupport) -> IsolationResult:
    modes_why_not = support.file_system.modes_why_not
    if not support.landlock_abi:
        return _result_with_user_alone(support.landlock_why_not, modes_why_not)
    why = "It has a user of its own, and Landlock keeps it to its own files"
    if modes_why_not:
        return IsolationResult(GOOD, f"{why}, Landlock alone: {modes_why_not}.")
    return IsolationResult(STRONG, f"{why}.")


def _result_with_user_alone(landlock_why_not: str, modes_why_not: str) -> IsolationResult:
    no_landlock = f"no Landlock: {landlock_why_not}"
    if modes_why_not:
        why = f"It may read the secret key and the database, whatever its user: {modes_why_not}"
        return IsolationResult(BASIC, f"{why}; {no_landlock}.")
    return IsolationResult(GOOD, f"It has a user of its own; {no_landlock}.")


def _naming(
    spec: Spec, wanted: IsolationSpec, own_user: User | None, support: IsolationSupport
) -> Naming:
    if not wanted.name:
        return NAMELESS
    if own_user is None and support.web_name:
        return Naming(support.web_name)
    uid = own_user.uid if own_user else support.web.uid
    return names.choose(wanted.name, uid, home=spec.cwd, library=support.names_library)


def _needs_tmp(spec: Spec, wanted: IsolationSpec) -> bool:
    # The data folder, its Python, or what an admin or staff have opened may lie in there.
    programs = map(os.fsdecode, (spec.argv[0], spec.cwd))
    opened = (*wanted.read, *wanted.write, *wanted.shared_read, *wanted.shared_write)
    places = map(folders.real_path, (*opened, *wanted.closed, *programs))
    return any(f"{place}/".startswith(f"{_TMP}/") for place in places)


def _can_mount(folder: str) -> bool:
    # Tried, since containers may hold the capability and be denied the call.
    if os.geteuid() != 0:
        return False
    with contextlib.suppress(OSError):
        return users.succeeds_in_a_child(lambda: prctl.mount_for_itself(folder, _TMP))
    return False


def _probe_landlock() -> tuple[int, str]:
    try:
        abi = landlock.abi()
    except OSError as error:
        return 0, f"the kernel has it but does not give it ({error.strerror})"
    if not abi:
        return 0, f"kernel {os.uname().release} has none"
    landlock.system_paths()  # for all runs: what is found before a fork is not looked for after it
    return abi, ""
