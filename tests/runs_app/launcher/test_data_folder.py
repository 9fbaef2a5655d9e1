"""What the file system of the data folder keeps is tried, and the grade follows from it: on real file systems."""

import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runs_app.launcher import folders
from runs_app.launcher.identity import data_folder
from runs_app.launcher.identity.users import User
from tests import mounts
from tests.runs_app.launcher.confined import (
    IS_ROOT,
    ORDINARY,
    OWN_USER,
    SCRIPT_USER,
    SERVICE_USER,
    STRONG,
    Mode,
    Place,
)

needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root can mount")
WEB, SCRIPT = User(SERVICE_USER, SERVICE_USER), User(SCRIPT_USER, SCRIPT_USER)
READER = """
import os
for name in ("secret_key", "tempo.sqlite3"):
    try:
        print(open(os.environ["TEMPO_RUN_FOLDER"] + "/../../../" + name).read())
    except PermissionError:
        print("denied")
open("written", "w").write("x")
"""


@pytest.fixture(scope="module")
def passable() -> Iterator[Path]:
    """A folder that every user may pass, as the way to a data folder is."""
    with tempfile.TemporaryDirectory(prefix="tempo-disks-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


@pytest.fixture(scope="module")
def open_disk(passable: Path) -> Iterator[Path]:
    with mounts.ntfs_disk(passable / "open") as path:
        yield path


@pytest.fixture(scope="module")
def closed_disk(passable: Path) -> Iterator[Path]:
    """All is Tempo's, and closed to everybody else, whatever is asked for."""
    options = f"uid={SERVICE_USER},gid={SERVICE_USER},umask=077"
    with mounts.ntfs_disk(passable / "closed", options) as path:
        yield path


# --- where modes and owners are kept --------------------------------------------------------------------------------
@needs_root
def test_a_file_system_that_keeps_them_is_found_to(tmp_path: Path) -> None:
    os.chown(tmp_path, *WEB)

    assert data_folder.look(str(tmp_path), web=WEB, script=SCRIPT) == data_folder.FileSystem()
    assert list(tmp_path.glob(".*")) == []


def test_a_user_who_is_not_root_finds_it_too(tmp_path: Path) -> None:
    me = User(os.geteuid(), os.getegid())

    assert data_folder.look(str(tmp_path), web=me, script=None) == data_folder.FileSystem()
    assert list(tmp_path.glob(".*")) == []


@needs_root
@pytest.mark.parametrize("mask", [0, 0o077])
def test_the_umask_does_not_matter(tmp_path: Path, mask: int) -> None:
    os.chown(tmp_path, *WEB)
    before = os.umask(mask)
    try:
        found = data_folder.look(str(tmp_path), web=WEB, script=SCRIPT)
    finally:
        os.umask(before)

    assert found == data_folder.FileSystem()


@needs_root
def test_the_kind_of_a_file_system_is_named(tmp_path: Path, open_disk: Path) -> None:
    with mounts.small_folder(tmp_path / "memory", "size=1m") as path:
        found = []
        for folder in (path, open_disk):
            fd = folders.open_path(str(folder))
            found.append(data_folder.type_of(fd))
            os.close(fd)

    assert found[0] == "tmpfs" and found[1].startswith("fuse")


# --- where they are not ---------------------------------------------------------------------------------------------
@needs_root
@pytest.mark.parametrize(
    ("mode", "grade", "read"),
    [(STRONG, "good", "denied"), (OWN_USER, "basic", "what is in secret_key")],
    ids=["with Landlock", "without"],
)
def test_a_run_is_graded_by_what_it_can_read(
    open_disk: Path, mode: Mode, grade: str, read: str
) -> None:
    with Place(mode, parent=open_disk) as place:
        told = place.launcher.web.ask("ping")["isolation"]
        folder = place.start(READER, flags="-I -S")
        ended = place.launcher.exit_of(folder)
        said = b"".join(record.text for record in place.launcher.records_of(folder)).decode()

    assert (ended["status"], ended["isolation"]["grade"], told["grade"]) == (
        "succeeded",
        grade,
        grade,
    )
    assert said.startswith(read)
    assert "ignores modes and owners" in ended["isolation"]["why"]
    assert "(fuse" in ended["isolation"]["why"] and len(ended["isolation"]["why"]) < 300
    assert not told["keeps_modes"] and not ended["isolation"]["degraded"]


@needs_root
def test_less_than_is_required_is_refused_with_the_reason(open_disk: Path) -> None:
    with Place(STRONG, parent=open_disk) as place:
        told = place.told("print('ran')", require="strong")

    assert told["reason"] == "could_not_start"
    assert "Strong is required (PYSCHED_REQUIRE_ISOLATION)" in told["message"]
    assert "ignores modes and owners" in told["message"]


@needs_root
def test_where_nothing_can_be_given_to_it_a_script_runs_as_tempos_user(closed_disk: Path) -> None:
    with Place(STRONG, parent=closed_disk) as place:
        told = place.launcher.web.ask("ping")["isolation"]
        ended = place.told(f"import os; assert os.getuid() == {SERVICE_USER}")

    assert (told["own_users"], told["keeps_modes"], told["warnings"]) == (False, True, [])
    assert told["grade"] == ORDINARY.grade
    assert "gives no file to another user" in told["why"]
    assert ended["status"] == "succeeded"
    assert "gives no file to another user" in ended["isolation"]["why"]


@needs_root
@pytest.mark.parametrize("mode", [STRONG, ORDINARY], ids=lambda mode: mode.name)
def test_the_admin_is_warned_of_a_secret_key_that_cannot_be_closed(
    open_disk: Path, mode: Mode
) -> None:
    with Place(mode, parent=open_disk) as place:
        (warning,) = place.launcher.web.ask("ping")["isolation"]["warnings"]
        said = place.launcher.log()

    assert "may read the secret key and the database" in warning
    assert "PYSCHED_DATA_PATH" in warning and warning in said


@needs_root
def test_a_folder_without_programs_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "envs").mkdir()
    with mounts.small_folder(tmp_path / "envs", "size=1m,noexec") as path:
        found = data_folder.look(str(tmp_path), web=User(0, 0), script=SCRIPT)

    assert found.modes_why_not == ""
    (warning,) = found.warnings
    assert warning.startswith(f"{path} is mounted without `exec`: packages with compiled parts")


# --- where it cannot be tried ---------------------------------------------------------------------------------------
@needs_root
def test_a_full_disk_lowers_the_grade_and_says_why(tmp_path: Path) -> None:
    with mounts.small_folder(tmp_path / "full", "size=1m,nr_inodes=2") as path:
        (path / "last").touch()
        found = data_folder.look(str(path), web=User(0, 0), script=SCRIPT)

    assert os.strerror(errno.ENOSPC) in found.modes_why_not
