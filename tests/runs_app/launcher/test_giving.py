"""What root gives to a script and what it does not: files, uploads and run folders, whatever web plants there."""

import contextlib
import os
import socket
import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from runs_app.launcher.identity import giving
from runs_app.launcher.identity.users import User
from tests import few_rights
from tests.runs_app.launcher.confined import (
    IS_ROOT,
    PYTHON,
    SCRIPT_USER,
    SERVICE_USER,
    STRONG,
    Place,
    opened,
)
from tests.runs_app.launcher.harness import wait_for

WEB, USER, STRANGER = User(SERVICE_USER, SERVICE_USER), User(SCRIPT_USER, SCRIPT_USER), 1234
POOL = range(50_000, 60_000)

needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root can give files to other users")


@pytest.fixture(scope="module")
def root_place() -> Iterator[Place]:
    yield from opened(STRONG)


class Folders:
    """A data folder with the files of one script and one run folder, all of web's; `precious` is somebody else's."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.files, self.run = data / "scripts/mine/files", data / "runs/2026-11/1-abcdef12"
        self.precious = data / "precious"
        for folder in (self.files, self.run / "tmp"):
            folder.mkdir(parents=True)
        self.make(self.precious, STRANGER)
        self.make(self.run / "main.py", SERVICE_USER)
        self.make(self.run / "params.json", SERVICE_USER)
        self.make(self.run / "payload", SERVICE_USER)
        for folder in (self.files, self.run, self.run / "tmp"):
            os.chown(folder, *WEB)

    def make(self, path: Path, owner: int) -> Path:
        path.write_text("x")
        path.chmod(0o600)
        os.chown(path, owner, owner)
        return path

    def give_files(self, cwd: Path | None = None, user: User = USER) -> None:
        cwd = cwd or self.files
        act = partial(giving.give_files, str(self.data), str(cwd), user, WEB, ours=POOL)
        assert few_rights.act(act)

    def give_run(self) -> None:
        fd = os.open(self.run, os.O_RDONLY)
        try:
            assert few_rights.act(lambda: giving.give_run(fd, USER))
        finally:
            os.close(fd)


def is_as_made(path: Path, owner: int = STRANGER) -> bool:
    """Whether nobody has been given this file."""
    status = path.lstat()
    return (status.st_uid, status.st_gid) == (owner, owner) and stat.S_IMODE(
        status.st_mode
    ) == 0o600


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path)


@needs_root
def test_files_become_the_scripts_and_stay_open_to_web(folders: Folders) -> None:
    (folders.files / "a").mkdir()
    os.chown(folders.files / "a", *WEB)
    upload = folders.make(folders.files / "a/upload", SERVICE_USER)
    folders.give_files()

    for folder in (folders.files, folders.files / "a"):
        status = folder.stat()
        assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (
            SCRIPT_USER,
            SERVICE_USER,
            0o2770,
        )
    assert (upload.stat().st_uid, upload.stat().st_gid) == (SCRIPT_USER, SERVICE_USER)


@needs_root
def test_files_go_to_the_next_user_and_back_to_web(folders: Folders) -> None:
    kept = folders.make(folders.files / "kept", SERVICE_USER)
    for user in (USER, User(SCRIPT_USER + 1, SCRIPT_USER + 1), WEB):
        folders.give_files(user=user)
        assert (folders.files.stat().st_uid, kept.stat().st_uid) == (user.uid, user.uid)


@needs_root
@pytest.mark.parametrize(
    "path",
    [".", "scripts", "scripts/mine", "scripts/mine/files/a", "scripts/mine/../mine/files/..", "precious/files",
     "scripts/../scripts/x/files/.",
     "runs/2026-11/1-abcdef12", "scripts/mine/files\n", "scripts/../files", "..", "/etc"],
)  # fmt: skip
def test_no_other_folder_is_given(folders: Folders, path: str) -> None:
    (folders.data / "scripts/x").mkdir()
    (folders.files / "a").mkdir()
    os.chown(folders.files / "a", STRANGER, STRANGER)
    before = {found: found.lstat().st_uid for found in folders.data.rglob("*") if found.name != "x"}
    with contextlib.suppress(AssertionError):  # it is not there
        folders.give_files(folders.data / path)

    assert before == {found: found.lstat().st_uid for found in before}


@needs_root
@pytest.mark.parametrize("part", ["scripts", "scripts/mine", "scripts/mine/files"])
def test_a_link_in_place_of_a_folder_is_not_followed(folders: Folders, part: str) -> None:
    (folders.data / part).rename(folders.data / "elsewhere")
    (folders.data / part).symlink_to(folders.data / "elsewhere")
    folders.give_files()

    assert {found.lstat().st_uid for found in (folders.data / "elsewhere").rglob("files")} <= {
        SERVICE_USER
    }
    assert (folders.data / "elsewhere").stat().st_uid != SCRIPT_USER


@needs_root
def test_a_data_folder_may_be_named_by_a_link(
    folders: Folders, tmp_path_factory: pytest.TempPathFactory
) -> None:
    link = tmp_path_factory.mktemp("links") / "data"
    link.symlink_to(folders.data)
    folders.give_files(link / "scripts/mine/files")

    assert folders.files.stat().st_uid == SCRIPT_USER


@needs_root
def test_a_run_elsewhere_is_given_nothing(root_place: Place) -> None:
    elsewhere = root_place.base / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    root_place.told("pass", cwd=elsewhere)

    assert (elsewhere.stat().st_uid, stat.S_IMODE(elsewhere.stat().st_mode)) == (0, 0o755)


@needs_root
def test_files_of_others_that_web_plants_stay_theirs(folders: Folders) -> None:
    outside = folders.make(folders.data / "secret_key", SERVICE_USER)
    (folders.files / "link").symlink_to(folders.precious)
    (folders.files / "folder").symlink_to(folders.data)
    (folders.files / "hard").hardlink_to(folders.precious)
    (folders.files / "key").hardlink_to(outside)
    folders.make(folders.files / "moved", STRANGER)
    (folders.files / "strange").mkdir()
    os.chown(folders.files / "strange", STRANGER, STRANGER)
    inner = folders.make(folders.files / "strange/inner", SERVICE_USER)
    os.mkfifo(folders.files / "fifo")
    folders.give_files()

    assert is_as_made(folders.precious) and is_as_made(folders.files / "moved")
    assert is_as_made(outside, SERVICE_USER) and is_as_made(inner, SERVICE_USER)
    assert (folders.files / "strange").stat().st_uid == STRANGER
    assert folders.files.stat().st_uid == SCRIPT_USER


@needs_root
def test_a_tree_of_any_depth_ends_in_a_verdict(root_place: Place) -> None:
    deep = "import os\nfor _ in range(1500): os.mkdir('d'); os.chdir('d')\nos.chmod(os.environ['HOME'], 0o777)"
    root_place.output(deep, slug="other")
    told = root_place.told("pass", slug="other")

    assert told["reason"] == "could_not_start"
    assert "cannot be used" in told["message"]


@needs_root
def test_giving_takes_setuid_off(folders: Folders) -> None:
    tool = folders.make(folders.files / "tool", SERVICE_USER)
    tool.chmod(0o6755)
    folders.give_files()

    assert stat.S_IMODE(tool.stat().st_mode) == 0o755


@needs_root
def test_a_run_gets_its_tmp_and_may_read_its_code(folders: Folders) -> None:
    folders.give_run()
    code, temporary = (folders.run / "main.py").stat(), (folders.run / "tmp").stat()

    assert (code.st_uid, code.st_gid, stat.S_IMODE(code.st_mode)) == (
        SERVICE_USER,
        SCRIPT_USER,
        0o640,
    )
    assert (temporary.st_uid, temporary.st_gid, stat.S_IMODE(temporary.st_mode)) == (
        SCRIPT_USER,
        SCRIPT_USER,
        0o700,
    )


@needs_root
@pytest.mark.parametrize("name", ["main.py", "params.json", "payload", "tmp"])
@pytest.mark.parametrize(
    "planted", ["link", "hard link", "file of another", "folder of another", "fifo", "socket"]
)
def test_what_web_plants_in_a_run_folder_gives_nothing_away(
    folders: Folders, name: str, planted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = folders.run / name
    monkeypatch.chdir(folders.run)  # a socket's path has to be short
    place.rename(folders.data / f"old-{name}")
    strange = folders.data / "strange"
    strange.mkdir(mode=0o700)
    os.chown(strange, STRANGER, STRANGER)
    plant: dict[str, Callable[[], object]] = {
        "link": lambda: place.symlink_to(strange if name == "tmp" else folders.precious),
        "hard link": lambda: place.hardlink_to(folders.precious),
        "file of another": lambda: folders.precious.rename(place),
        "folder of another": lambda: strange.rename(place),
        "fifo": lambda: os.mkfifo(place, 0o600),
        "socket": lambda: socket.socket(socket.AF_UNIX).bind(name),
    }
    plant[planted]()
    before = place.lstat(), folders.data.stat()
    folders.give_run()

    for path in filter(Path.exists, (strange, folders.precious, place)):
        assert SCRIPT_USER not in (path.stat().st_uid, path.stat().st_gid)
    assert (place.lstat().st_mode, folders.data.stat().st_uid) == (
        before[0].st_mode,
        before[1].st_uid,
    )


@needs_root
@pytest.mark.parametrize(
    "name",
    [
        "output.log",
        "output.idx",
        "state.json.tmp",
        "exit.json.tmp",
        "claim",
        "lock",
        "samples.csv",
        "tail",
    ],
)
def test_a_runner_writes_through_no_link_that_web_plants(root_place: Place, name: str) -> None:
    precious = root_place.base / "precious"
    precious.write_text("precious")
    root_place.start("print('x')", planted={name: precious})
    wait_for(lambda: root_place.launcher.web.ask("ping")["runs"] == 0)

    assert precious.read_text() == "precious"
    assert precious.stat().st_uid == 0


@needs_root
def test_a_runner_makes_nothing_where_web_may_not(root_place: Place) -> None:
    """Should web put another folder in place of the run's: what the runner does there, web could have done."""
    folder = root_place.launcher.new_folder(
        [PYTHON, "-c", "print('ran')"]
    )  # root's, as it was made here
    root_place.launcher.path(folder).chmod(0o755)
    root_place.launcher.web.ask("start", folder=folder)
    wait_for(lambda: root_place.launcher.web.ask("ping")["runs"] == 0)

    assert [path.name for path in root_place.launcher.path(folder).iterdir()] == ["spec.json"]
