"""The layers that a run gets, what it is told about them, and that they are true inside; what is given to a script."""

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runs_app.launcher.identity import isolation, landlock, users
from runs_app.launcher.identity.users import User
from tests.rows import each_row
from tests.runs_app.launcher.confined import (
    AS_ROOT,
    AS_SERVICE_USER,
    BASIC,
    IS_ROOT,
    LANDLOCK_ABI,
    LIMITS,
    MODES,
    ORDINARY,
    PYTHON,
    SCRIPT_USER,
    SERVICE_USER,
    SIGNALS_ARE_COVERED,
    STRONG,
    Place,
    found_out,
    opened,
)
from tests.runs_app.launcher.harness import wait_for

WEB, USER, STRANGER = User(SERVICE_USER, SERVICE_USER), User(SCRIPT_USER, SCRIPT_USER), 1234
POOL = range(50_000, 60_000)
needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root can give files to other users")

INSIDE = """
import json, os
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "users": os.getresuid(), "groups": os.getresgid(), "more_groups": os.getgroups(),
    "umask": status["Umask"].strip(), "no_new_privs": status["NoNewPrivs"].strip(),
    "capabilities": [int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")],
    "descriptors": [fd for fd in range(100) if os.path.exists(f"/proc/self/fd/{fd}")],
    "session": os.getsid(0) == os.getpid(), "blocked": int(status["SigBlk"], 16), "files": os.getcwd(),
    "environment": sorted(os.environ),
}))
"""
# Where the kernel covers signals too. Sentences are what a person reads on the run's page.
WHY = {
    "own user and Landlock": "It has a user of its own, and Landlock keeps it to its own files.",
    "own user": "It has a user of its own; no Landlock: it is switched off (TEMPO_WITHOUT).",
    "as service user": "Landlock keeps it to its own files; no user of its own: it is set to run as Tempo's own user.",
    "ordinary user without Landlock": "No Landlock: it is switched off (TEMPO_WITHOUT); "
    "no user of its own: Tempo was not started as root.",
    "ordinary user": "Landlock keeps it to its own files; no user of its own: Tempo was not started as root.",
}


@pytest.fixture(scope="module", params=MODES, ids=lambda mode: mode.name)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    yield from opened(request.param)


@pytest.fixture(scope="module")
def root_place() -> Iterator[Place]:
    yield from opened(STRONG)


def isolation_of(place: Place, **asked: Any) -> dict[str, Any]:
    """What a run is told to have, in both files alike."""
    folder = place.start("import time; time.sleep(60)", **asked)
    told: dict[str, Any] = place.launcher.state_of(folder)["isolation"]
    place.launcher.web.ask("cancel", folder=folder)
    assert place.launcher.exit_of(folder)["isolation"] == told
    return told


# --- what it is told ------------------------------------------------------------------------------------------------
def test_a_run_is_told_its_grade(place: Place) -> None:
    told = isolation_of(place)

    assert told["grade"] == place.mode.grade
    assert told["degraded"] == (place.mode in (AS_SERVICE_USER, AS_ROOT))


@pytest.mark.skipif(not SIGNALS_ARE_COVERED, reason="older kernels say more")
def test_a_run_is_told_why(place: Place) -> None:
    why = "Tempo was not started as root" if place.mode in (ORDINARY, BASIC) else ""
    asked: dict[str, Any] = {"uid": SCRIPT_USER, "uid_why": ""} if why else {}

    assert (
        isolation_of(place, **asked)["why"]
        == WHY[place.mode.name if place.mode != AS_ROOT else "as service user"]
    )


def test_the_launcher_offers_what_its_best_run_gets(place: Place) -> None:
    offered = place.launcher.web.ask("ping")["isolation"]

    is_launched_by_root = place.mode.launcher == 0
    assert offered["own_users"] == is_launched_by_root
    assert offered["landlock"] == (LANDLOCK_ABI if place.mode.has_landlock else 0)
    assert (
        offered["grade"]
        == (STRONG if is_launched_by_root and place.mode.has_landlock else place.mode).grade
    )


# --- that it is true ------------------------------------------------------------------------------------------------
def test_it_is_the_user_that_it_is_said_to_be(place: Place) -> None:
    inside = found_out(place.output(INSIDE))
    user = place.mode.script

    assert inside["users"] == inside["groups"] == [user] * 3
    assert inside["more_groups"] == []
    assert inside["umask"] == ("0007" if place.mode.uid is not None else "0022")


def test_webs_group_keeps_its_rights_whatever_umask_is_chosen(root_place: Place) -> None:
    inside = found_out(root_place.output(INSIDE, limits={**LIMITS, "umask": 0o077}))
    assert inside["umask"] == "0007"


def test_it_has_no_power_and_cannot_get_any(place: Place) -> None:
    inside = found_out(place.output(INSIDE))

    assert inside["capabilities"] == [0, 0, 0, 0]
    assert inside["no_new_privs"] == "1"


def test_it_reads_its_inputs_and_its_payload_and_cannot_change_them(place: Place) -> None:
    code = """
import os
for name in ("params.json", "payload"):
    path = os.environ["TEMPO_RUN_FOLDER"] + "/" + name
    print(open(path).read())
    try:
        open(path, "a").write("x")
    except PermissionError:
        print("not to be changed")
"""
    may_change = (
        not place.mode.has_landlock and place.mode.uid is None
    )  # it is Tempo's own user then
    said = place.output(code).splitlines()
    kept = "not to be changed"
    assert said == (
        ['{"days": 7}', "hello"] if may_change else ['{"days": 7}', kept, "hello", kept]
    )


def test_it_inherits_nothing_but_its_three_streams(place: Place) -> None:
    inside = found_out(place.output(INSIDE))

    assert inside["descriptors"] == [0, 1, 2]
    assert inside["session"] and inside["blocked"] == 0
    assert set(inside["environment"]) - {"LC_CTYPE"} == {
        *("HOME", "LANG", "PATH", "PYTHONPATH", "PYTHONUNBUFFERED", "TMPDIR", "TEMPO_RUN_FOLDER"),
    }


def test_it_starts_in_its_files_and_may_write_there(place: Place) -> None:
    place.output("open('kept', 'w').write('x')\nimport os; os.makedirs('a/b', exist_ok=True)")
    kept = (place.files() / "kept").stat()

    assert kept.st_uid == place.mode.script
    assert kept.st_gid == place.mode.web  # who shows and downloads them
    assert found_out(place.output(INSIDE))["files"] == str(place.files())


def test_its_tmp_is_its_own(place: Place) -> None:
    folder = place.start(
        "import tempfile, time; tempfile.mkstemp(); print('made', flush=True); time.sleep(600)"
    )
    place.launcher.wait_for_output(folder, b"made")
    (made,) = (place.launcher.path(folder) / "tmp").iterdir()

    assert made.stat().st_uid == place.mode.script
    place.launcher.web.ask("cancel", folder=folder)
    wait_for(lambda: not (place.launcher.path(folder) / "tmp").exists())


# --- what is not to be had ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("required", ["good", "strong"])
def test_less_than_is_required_does_not_start(place: Place, required: str) -> None:
    told = place.told("print('ran')", require=required)

    if place.mode.grade in (required, "strong"):
        assert told["status"] == "succeeded"
    else:
        assert (told["reason"], told["exit_code"]) == ("could_not_start", None)
        expected = (
            f"isolation: {required.title()} is required (PYSCHED_REQUIRE_ISOLATION), it would be "
        )
        assert expected + place.mode.grade.title() in told["message"]


@needs_root
@pytest.mark.parametrize("uid", [0, 1, SERVICE_USER, 49_999, 60_000, 2**32, -1])
def test_only_users_for_scripts_are_taken(root_place: Place, uid: int) -> None:
    told = root_place.told("print('ran')", uid=uid)

    assert told["reason"] == "could_not_start"
    assert (
        told["message"] == f"Could not start: isolation: {uid} is not among the users for scripts"
    )


@needs_root
@pytest.mark.parametrize("uid", [True, "50000", 50000.5, [50000]])
def test_a_user_that_is_no_number_is_not_taken(root_place: Place, uid: object) -> None:
    assert (
        "isolation uid has to be a whole number"
        in root_place.told("print('ran')", uid=uid)["message"]
    )


@needs_root
def test_an_interpreter_in_a_closed_home_is_run_by_tempos_own_user_as_was_promised(
    root_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = root_place.base / "home"
    (home / "bin").mkdir(parents=True)
    (home / "bin/python").symlink_to(PYTHON)
    monkeypatch.setattr(sys, "executable", str(home / "bin/python"))
    assert promised(root_place) == WHY["own user and Landlock"]
    root_place.own(home, 0o700)

    told = isolation_of(root_place, python=home / "bin/python")

    assert told["why"] == promised(root_place)
    assert told["grade"] == ORDINARY.grade and told["degraded"]
    assert f"{home} is closed to other users (mode 0700)" in told["why"]
    assert (
        found_out(root_place.output(INSIDE, python=home / "bin/python"))["users"]
        == [SERVICE_USER] * 3
    )


def promised(place: Place) -> str:
    """What the launcher says of all scripts when it starts."""
    pool = (SCRIPT_USER, SCRIPT_USER)
    return isolation.probe(pool=pool, web=WEB, data=str(place.data)).usual.why


@needs_root
def test_a_link_to_an_interpreter_in_a_closed_home_is_seen_through(root_place: Place) -> None:
    home = root_place.base / "closed"
    home.mkdir()
    (home / "python").symlink_to(PYTHON)
    (root_place.base / "python").symlink_to(home / "python")
    root_place.own(home, 0o700)

    assert f"{home}" in (
        users.obstacle(str(root_place.base / "python"), User(SCRIPT_USER, SCRIPT_USER)) or ""
    )


@needs_root
def test_a_closed_data_folder_is_named(root_place: Place) -> None:
    root_place.data.chmod(0o700)
    try:
        assert f"{root_place.data} is closed to other users" in isolation_of(root_place)["why"]
    finally:
        root_place.data.chmod(0o711)


@pytest.fixture
def socket_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A socket of ours, in a place where one is known to start programs."""
    monkeypatch.setattr(users, "_PROGRAM_STARTERS", (f"{tmp_path}/{{uid}}.sock",))
    path = tmp_path / f"{os.getuid()}.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        yield path


def best_of(user: User, *, has_users: bool = False) -> isolation.IsolationResult:
    """What a launcher with the newest Landlock gives where web is `user`."""
    return isolation.IsolationSupport(
        POOL, "" if has_users else "Tempo was not started as root", 7, "", user
    ).best


def test_a_socket_that_starts_programs_is_a_way_out_of_landlock(socket_path: Path) -> None:
    told = best_of(User(os.getuid(), os.getgid()))

    assert told.grade == "basic"
    assert f"but {socket_path} starts programs outside of it" in told.why


def test_a_socket_that_is_closed_or_anothers_is_no_way_out(socket_path: Path) -> None:
    assert best_of(User(os.getuid() + 1, os.getgid() + 1)).grade == "good"
    socket_path.chmod(0)
    assert best_of(User(os.getuid(), os.getgid())).grade == "good"


def test_a_user_of_its_own_has_no_way_out_through_sockets_of_tempos_user(socket_path: Path) -> None:
    assert best_of(User(os.getuid(), os.getgid()), has_users=True).grade == "strong"


@each_row("version", [1, 2, 3, 4, 5])
def test_landlock_without_signals_is_basic_and_says_what_would_do(version: int) -> None:
    told = isolation.IsolationSupport(POOL, "Tempo was not started as root", version, "", WEB).best

    assert told.grade == "basic"
    assert f"this kernel's (ABI {version}) does not cover signals, Linux 6.12 does" in told.why


def test_a_kernel_without_landlock_is_named() -> None:
    told = isolation.IsolationSupport(POOL, "", 0, "kernel 4.4 has none", WEB).best

    assert (told.grade, told.why) == (
        "good",
        "It has a user of its own; no Landlock: kernel 4.4 has none.",
    )


@each_row(
    ("version", "bits", "size"),
    [(1, 13, 8), (2, 14, 8), (3, 15, 8), (4, 15, 16), (5, 16, 16), (6, 16, 24), (9, 16, 24)],
)
def test_a_kernel_is_asked_for_what_it_knows_and_no_more(
    version: int, bits: int, size: int
) -> None:
    rights = landlock._rights(version)

    assert rights == (1 << bits) - 1
    assert landlock._attributes(version, rights)[1] == size


def test_a_broad_path_of_an_admin_does_not_open_the_data_folder(place: Place) -> None:
    (place.base / "notes").mkdir(exist_ok=True)
    (place.base / "link").unlink(missing_ok=True)
    (place.base / "link").symlink_to(place.data)
    place.own(place.base / "notes", 0o777)
    place.own(place.base, 0o755)  # what is to be left out of a folder has to be listed
    code = f"""
import os
os.listdir({str(place.base / "notes")!r})
for name in ("data/secret_key", "link/secret_key", "notes/../data/secret_key", "code/runs_app/launcher/server.py"):
    try:
        print("read", open({str(place.base)!r} + "/" + name).read())
    except PermissionError:
        pass
"""
    is_closed = place.output(code, write=[str(place.files()), str(place.base)]) == ""
    assert is_closed or not place.mode.has_landlock
