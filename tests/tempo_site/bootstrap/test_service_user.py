"""Who Tempo is where it was started as root, and what it says when that cannot be."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import CommandError

from runs_app.launcher.identity import users
from runs_app.launcher.identity.users import User
from tempo_site.bootstrap import ownership, service_user
from tempo_site.lib import paths
from tempo_site.management.commands import serve
from tests import few_rights
from tests.refusals import refusal
from tests.service import ROOT, environment

ANYBODY = User(1234, 2345)


@pytest.fixture(autouse=True)
def own_folder() -> Iterator[None]:
    """Commands of other tests act as whose data folder it is."""
    folder = paths.data()
    yield
    if folder.exists():
        os.chown(folder, os.getuid(), os.getgid())


@pytest.fixture
def said() -> list[str]:
    """The lines that were told."""
    return []


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Started as root, with all that is needed."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(users, "why_not_root", lambda: "")
    monkeypatch.setattr(users, "why_not", lambda _user: "")


@pytest.fixture
def home() -> Iterator[str | None]:
    """The variable is the process's: put it back."""
    before = os.environ.get("HOME")
    yield before
    os.environ["HOME"] = before or "/"


# --- who -----------------------------------------------------------------------------------------------------------
@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize(
    ("gid", "user"), [(2345, ANYBODY), (None, User(1234, 1234)), (0, User(1234, 0))]
)
def test_it_becomes_the_user_that_was_named(
    settings: LazySettings, said: list[str], gid: int | None, user: User
) -> None:
    settings.PUID, settings.PGID = 1234, gid
    assert (service_user.choose(said.append), said) == (user, [])


@pytest.mark.usefixtures("as_root")
def test_root_without_a_name_stays_root_and_says_so(
    settings: LazySettings, said: list[str]
) -> None:
    settings.PUID, settings.PGID = None, 2345
    assert service_user.choose(said.append) is None
    assert len(said) == 1 and "runs as root" in said[0] and "hint: " in said[0]


@pytest.mark.usefixtures("as_root", "home")
@pytest.mark.parametrize(
    ("puid", "became"), [(None, [ANYBODY]), (0, []), (4321, [User(4321, 4321)])]
)
def test_a_command_of_root_is_given_by_whose_database_it_is_unless_the_settings_say_who(
    settings: LazySettings,
    monkeypatch: pytest.MonkeyPatch,
    puid: int | None,
    became: list[User],
) -> None:
    done: list[User] = []
    monkeypatch.setattr(users, "become", done.append)
    settings.PUID, settings.PGID = puid, None
    (database,) = fill("tempo.sqlite3")
    os.chown(database, *ANYBODY)
    service_user.step_down()
    assert done == became


@pytest.mark.usefixtures("as_root", "home")
@pytest.mark.parametrize(("begins_folder", "became"), [(False, [ANYBODY]), (True, [])])
def test_where_tempo_was_never_started_a_command_of_root_is_given_by_whose_folder_it_is(
    settings: LazySettings,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    begins_folder: bool,
    became: list[User],
) -> None:
    done: list[User] = []
    monkeypatch.setattr(users, "become", done.append)
    settings.DATA_PATH, settings.PUID, settings.PGID = tmp_path, None, None
    os.chown(tmp_path, *ANYBODY)
    service_user.step_down(begins_folder=begins_folder)
    assert done == became


@pytest.mark.usefixtures("as_root", "home")
def test_a_command_gives_nothing_to_a_user_that_cannot_read_tempo(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    closed = tmp_path / "home"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(sys, "executable", str(closed / "python"))
    settings.PUID, settings.PGID = ANYBODY
    (database,) = fill("tempo.sqlite3")
    before = database.stat().st_uid
    with pytest.raises(SystemExit):
        service_user.step_down()
    assert database.stat().st_uid == before


@pytest.mark.usefixtures("as_root", "home")
def test_a_command_takes_nothing_from_a_tempo_that_runs_as_somebody_else(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(users, "become", lambda _user: None)
    settings.PUID, settings.PGID = ANYBODY
    (database,) = fill("tempo.sqlite3")
    before = database.stat().st_uid
    lock = serve.take_service_lock()
    with pytest.raises(CommandError, match=f"as user {before}, not as 1234"):
        service_user.step_down()
    assert database.stat().st_uid == before
    os.close(lock)
    service_user.step_down()
    assert database.stat().st_uid == ANYBODY.uid


@pytest.mark.usefixtures("as_root")
def test_who_asks_for_root_gets_root(settings: LazySettings, said: list[str]) -> None:
    settings.PUID, settings.PGID = 0, 0
    assert (service_user.choose(said.append), said) == (None, [])


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("question", ["why_not_root", "why_not"])
def test_what_cannot_be_is_told_and_the_start_goes_on(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch, said: list[str], question: str
) -> None:
    settings.PUID, settings.PGID = ANYBODY
    monkeypatch.setattr(users, question, lambda *_: "it is forbidden")
    assert service_user.choose(said.append) is None
    assert said == ["PYSCHED_PUID 1234 is ignored: it is forbidden. Everything runs as root."]


@pytest.mark.parametrize(("uid", "lines"), [(1234, 1), (0, 1), (4321, 0), (None, 0)])
def test_an_ordinary_user_stays_who_it_is(
    settings: LazySettings,
    monkeypatch: pytest.MonkeyPatch,
    said: list[str],
    uid: int | None,
    lines: int,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4321)
    settings.PUID = settings.PGID = uid
    assert service_user.choose(said.append) is None
    assert len(said) == lines


# --- acting as that user -------------------------------------------------------------------------------------------
def test_an_act_is_the_users_for_ever(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    os.chown(folder, *ANYBODY)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)  # the way to it is closed

    def act() -> None:
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
        assert (os.getresuid(), os.getresgid(), os.getgroups()) == ((1234,) * 3, (2345,) * 3, [])
        with pytest.raises(PermissionError):
            os.seteuid(0)

    service_user.act_as(ANYBODY, act)
    os.close(descriptor)
    status = (folder / "file").stat()
    assert (status.st_uid, status.st_gid) == ANYBODY


def test_without_a_user_it_acts_in_this_very_process() -> None:
    seen: list[int] = []
    service_user.act_as(None, lambda: seen.append(os.getpid()))
    assert seen == [os.getpid()]


def _refuse() -> None:
    raise CommandError("This is why.")


def _break() -> None:
    raise ValueError("a surprise")


@pytest.mark.parametrize(
    ("act", "words"), [(_refuse, "This is why.\n"), (_break, "ValueError: a surprise\n")]
)
def test_an_act_that_fails_ends_the_start_and_says_why(
    capfd: pytest.CaptureFixture[str], act: Callable[[], None], words: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        service_user.act_as(ANYBODY, act)
    assert ended.value.code == 1
    assert capfd.readouterr().err.endswith(words)


def test_a_user_that_cannot_reach_its_python_is_refused_with_the_folder_that_is_closed(
    tmp_path: Path,
    settings: LazySettings,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    settings.PUID = ANYBODY.uid
    closed = tmp_path / "home"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(sys, "executable", str(closed / "python"))
    with pytest.raises(SystemExit):
        service_user.act_as(ANYBODY, service_user.refuse_unreachable)
    told = capfd.readouterr().err
    assert told.startswith(f"User 1234 (PYSCHED_PUID) cannot read its Python, `{closed}/python`: `")
    assert "is closed to it.\nhint: " in told


def test_a_data_folder_of_somebody_else_is_refused_with_what_to_do(settings: LazySettings) -> None:
    settings.DATA_PATH = Path("/proc/self")
    with pytest.raises(
        CommandError,
        match=r"cannot write to the data folder, `/proc/self`.\nhint: give it that folder",
    ):
        service_user.refuse_unreachable()


def test_a_file_of_a_secret_that_the_user_cannot_read_is_refused_by_its_variable(
    tmp_path: Path, settings: LazySettings, capfd: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "secret"
    secret.touch(mode=0o400)
    settings.SECRET_FILES = {"SMTP_PASSWORD_FILE": str(secret)}
    settings.PUID = ANYBODY.uid
    with pytest.raises(SystemExit):
        service_user.act_as(ANYBODY, service_user.refuse_unreadable_secrets)
    told = capfd.readouterr().err
    assert f"cannot read `{secret}`, which SMTP_PASSWORD_FILE names" in told


def test_everything_within_reach_is_fine() -> None:
    assert refusal(service_user.refuse_unreachable, CommandError) == ""


def test_an_unusable_data_folder_is_one_sentence_and_not_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    command = [sys.executable, str(ROOT / "manage.py"), "serve"]
    env = environment(tmp_path / "file" / "data")
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 1
    assert f"PYSCHED_DATA_PATH `{tmp_path}/file/data` cannot be used" in done.stderr
    assert (
        "HINT: Not a directory. Tempo runs as user" in done.stderr
        and "Traceback" not in done.stderr
    )


# --- the data folder -----------------------------------------------------------------------------------------------
def fill(*names: str) -> list[Path]:
    """Files below the data folder, with their folders."""
    found = [paths.data() / name for name in names]
    for path in found:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return found


def owners(*files: Path) -> list[tuple[int, int]]:
    """User and group of each file."""
    return [(path.lstat().st_uid, path.lstat().st_gid) for path in files]


@pytest.fixture
def folder(settings: LazySettings) -> Iterator[Path]:
    """A data folder that other users can get to: pytest's own are closed to them."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        settings.DATA_PATH = Path(place) / "data"
        settings.DATA_PATH.mkdir()
        yield settings.DATA_PATH


def hand_over(user: User) -> None:
    """Give the data folder to a user, as root with few rights."""
    assert few_rights.act(lambda: ownership.hand_over(ownership.Owner(*user)))


@pytest.mark.usefixtures("folder")
def test_the_data_folder_and_all_its_parts_are_given() -> None:
    files = fill(
        "secret_key",
        "tempo.sqlite3",
        "scripts/a/main.py",
        "envs/1/bin/python",
        "runs/2026-11/1-abc/spec.json",
    )
    hand_over(ANYBODY)
    assert set(owners(paths.data(), *files, *(path.parent for path in files))) == {ANYBODY}
    hand_over(User(99, 100))  # which is nobody's that root is
    assert set(owners(paths.data(), *files)) == {(99, 100)}


def test_what_was_given_is_not_looked_at_again() -> None:
    (file,) = fill("scripts/a/main.py")
    assert ownership.hand_over(ownership.Owner(*ANYBODY))
    os.chown(file, 0, 0)
    assert not ownership.hand_over(ownership.Owner(*ANYBODY))
    assert owners(file) == [(0, 0)]


@pytest.mark.usefixtures("folder")
def test_files_of_a_scripts_user_stay_its_own_and_follow_with_their_group() -> None:
    (file, inner, link) = fill(
        "scripts/a/files/kept", "scripts/a/files/closed/inner", "scripts/a/link"
    )
    link.unlink()
    link.symlink_to(file)
    hand_over(ANYBODY)
    for path in (file, inner, inner.parent):
        os.chown(path, 50000, ANYBODY.gid)
    inner.parent.chmod(0)  # its owner has no right there either
    hand_over(User(99, 100))
    assert owners(file, inner, inner.parent) == [(50000, 100)] * 3
    assert owners(file.parent, link) == [(99, 100)] * 2


def test_a_folder_keeps_its_rights() -> None:
    (file,) = fill("scripts/a/files/kept")
    os.chown(file.parent, 50000, 0)
    file.parent.chmod(0o2770)
    hand_over(ANYBODY)
    assert file.parent.stat().st_mode & 0o7777 == 0o2770


@pytest.mark.usefixtures("folder")
def test_no_link_is_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    fill("scripts/a/main.py")
    (paths.data() / "scripts" / "link").symlink_to(outside)
    (paths.data() / "scripts" / "file").symlink_to(outside / "file")
    (paths.data() / "backups").symlink_to(outside)
    hand_over(ANYBODY)
    assert owners(outside, outside / "file") == [(0, 0), (0, 0)]


@pytest.mark.usefixtures("folder")
def test_what_is_not_tempos_is_left_alone() -> None:
    files = fill("photos/1.jpg", "notes.txt")
    hand_over(ANYBODY)
    assert set(owners(*files)) == {(0, 0)}


@pytest.mark.usefixtures("folder")
def test_one_part_that_root_put_back_is_given_with_what_is_in_it() -> None:
    hand_over(ANYBODY)
    files = fill("backups/1/tempo.sqlite3")
    hand_over(ANYBODY)
    assert set(owners(*files, paths.data() / "backups")) == {ANYBODY}


def test_what_lies_too_deep_stops_nothing() -> None:
    folder = paths.data() / "scripts"
    deep = folder.joinpath(*("d" for _ in range(ownership.MAX_DEPTH + 50)))
    deep.mkdir(parents=True)
    hand_over(ANYBODY)
    assert owners(folder) == [ANYBODY]


@pytest.mark.parametrize(("user", "expected"), [(User(0, 0), "/root"), (User(4294960, 1), None)])
def test_home_is_the_users_or_the_data_folder(
    home: str | None, user: User, expected: str | None
) -> None:
    service_user.take_over(user)
    assert os.environ["HOME"] == (expected or str(paths.data()))
