"""What keeps a script from what is not its own: the layers this machine has, and those that one run really gets."""

import os
from typing import NamedTuple

from runs_app.launcher.identity import landlock, users
from runs_app.launcher.identity.users import User
from runs_app.launcher.spec import IsolationSpec, Spec

STRONG, GOOD, BASIC, NONE = "strong", "good", "basic", ""
_RANK = {NONE: 0, BASIC: 1, GOOD: 2, STRONG: 3}


class IsolationError(Exception):
    """A run that must not be started: the sentence says why."""


class IsolationSupport(NamedTuple):
    """What was found at the start of the launcher. A reason is "" where the layer can be had."""

    pool: range  # of users for scripts
    users_why_not: str
    landlock_abi: int  # 0: none
    landlock_why_not: str
    web: User

    @property
    def best(self) -> "IsolationResult":
        """What a script gets that nothing is in the way of."""
        uid = None if self.users_why_not else self.pool.start
        return _result(self, uid, self.users_why_not)


class IsolationResult(NamedTuple):
    """What a run is told to have, in `state.json` and `exit.json`."""

    grade: str  # strong | good | basic | "" for a program of Tempo's own
    why: str  # one sentence
    degraded: bool  # less than this installation can give


NOTHING = IsolationResult(NONE, "", False)


class Plan(NamedTuple):
    """How one program is started."""

    user: User | None  # to become; None: stay
    has_own_user: bool
    is_script: bool  # and so without any capability
    shut_in: IsolationSpec | None  # by Landlock
    obtained: IsolationResult


def probe(*, pool: tuple[int, int], web: User | None) -> IsolationSupport:
    """Try each layer once. `TEMPO_WITHOUT` names layers to do without: `landlock`, `users`."""
    without = os.environ.get("TEMPO_WITHOUT", "").split()
    users_why_not = (
        "own users are switched off (TEMPO_WITHOUT)"
        if "users" in without
        else _why_no_users(pool[0])
    )
    landlock_abi, landlock_why_not = _landlock("landlock" in without)
    here = User(os.geteuid(), os.getegid())
    return IsolationSupport(
        range(pool[0], pool[1] + 1), users_why_not, landlock_abi, landlock_why_not, web or here
    )


def plan(spec: Spec, powers: IsolationSupport) -> Plan:
    """What this run gets. Raises IsolationError."""
    wanted = spec.isolation
    # Not by looking at capabilities: whoever makes files as web's user has given some up for that time.
    serving = powers.web if os.geteuid() == 0 and powers.web.uid != 0 else None
    if wanted is None:
        return Plan(serving, False, False, None, NOTHING)
    own, why_not_own = _own_user(wanted, spec, powers)
    obtained = _result(powers, own.uid if own else None, why_not_own)
    degraded = _RANK[obtained.grade] < _RANK[powers.best.grade]
    if _RANK[obtained.grade] < _RANK[wanted.require]:
        raise IsolationError(
            f"isolation: {wanted.require.title()} is required (PYSCHED_REQUIRE_ISOLATION), "
            f"it would be {obtained.grade.title()}. {obtained.why}"
        )
    shut_in = wanted if powers.landlock_abi else None
    return Plan(
        own or serving, own is not None, True, shut_in, obtained._replace(degraded=degraded)
    )


def _own_user(
    wanted: IsolationSpec, spec: Spec, powers: IsolationSupport
) -> tuple[User | None, str]:
    if wanted.uid is not None and wanted.uid not in powers.pool:
        raise IsolationError(f"isolation: {wanted.uid} is not among the users for scripts")
    if wanted.uid is None or powers.users_why_not:
        return None, wanted.uid_why or powers.users_why_not
    user = User(wanted.uid, wanted.uid)
    # The working folder itself becomes the user's; the way to it has to be open.
    for path in (spec.argv[0], os.path.dirname(spec.cwd)):
        if obstacle := users.obstacle(os.fsdecode(path), user):
            return None, obstacle
    return user, ""


def _result(powers: IsolationSupport, uid: int | None, why_not_own: str) -> IsolationResult:
    has_signals = powers.landlock_abi >= landlock.SIGNALS_ABI
    if uid is not None and powers.landlock_abi:
        return IsolationResult(
            STRONG, "It has a user of its own, and Landlock keeps it to its own files.", False
        )
    if uid is not None:
        return IsolationResult(
            GOOD, f"It has a user of its own; no Landlock: {powers.landlock_why_not}.", False
        )
    no_user = f"no user of its own: {why_not_own or 'none was asked for'}."
    if has_signals and (starter := users.socket_that_starts_programs(powers.web)):
        way_out = f"Landlock keeps it to its own files, but {starter} starts programs outside of it"
        return IsolationResult(BASIC, f"{way_out}; {no_user}", False)
    if has_signals:
        return IsolationResult(GOOD, f"Landlock keeps it to its own files; {no_user}", False)
    if powers.landlock_abi:
        limited = (
            f"this kernel's (ABI {powers.landlock_abi}) does not cover signals, Linux 6.12 does"
        )
        return IsolationResult(
            BASIC, f"Landlock keeps it to its own files, but {limited}; {no_user}", False
        )
    return IsolationResult(BASIC, f"No Landlock: {powers.landlock_why_not}; {no_user}", False)


def _why_no_users(first: int) -> str:
    return users.why_not_root() or users.why_not(User(first, first))


def _landlock(is_off: bool) -> tuple[int, str]:
    if is_off:
        return 0, "it is switched off (TEMPO_WITHOUT)"
    try:
        abi = landlock.abi()
    except OSError as error:
        return 0, f"the kernel has it but does not give it ({error.strerror})"
    return abi, "" if abi else f"kernel {os.uname().release} has none"
