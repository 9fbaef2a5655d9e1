"""What web may ask the launcher for: start, cancel, adopt, remove, ping."""

import errno
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runs_app.launcher import locks, removal, wire
from runs_app.launcher.watch import procfs
from tests import few_rights
from tests.mounts import small_disk
from tests.runs_app.launcher.confined import ORDINARY, Place, opened
from tests.runs_app.launcher.harness import LauncherHarness, wait_for

SLEEPER = "import time; print('on', flush=True); time.sleep(60)"


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[LauncherHarness]:
    with LauncherHarness(tmp_path / "data") as launcher:
        yield launcher


def test_ping_tells_its_pid_and_how_many_run(launcher: LauncherHarness) -> None:
    launcher.run(SLEEPER)

    told = launcher.web.ask("ping")
    assert (told["ok"], told["runs"], told["pid"]) == (True, 1, launcher.process.pid)


def test_ping_tells_what_scripts_are_kept_from(launcher: LauncherHarness) -> None:
    told = launcher.web.ask("ping")["isolation"]

    assert set(told) == set(wire.SupportMessage.__annotations__)
    assert told["grade"] in ("strong", "good", "basic") and told["why"].endswith(".")


def test_start_answers_with_the_runners_pid(launcher: LauncherHarness) -> None:
    folder = launcher.new_folder([sys.executable, "-I", "-S", "-c", SLEEPER])

    assert (
        launcher.web.ask("start", folder=folder)["pid"] == launcher.state_of(folder)["runner_pid"]
    )


@pytest.mark.parametrize(
    "folder",
    ["", ".", "..", "/etc", "2026-11", "2026-11/../../x", "2026-11/1-abcdef/", "2026-11/1-ABCDEF", "2026-11/1-abcde",
     "2026-11/1-abcdef\n", "٢026-11/1-abcdef", None, 7],
)  # fmt: skip
def test_start_refuses_what_is_no_folders_name(launcher: LauncherHarness, folder: object) -> None:
    reply = launcher.web.ask("start", folder=folder)

    assert not reply["ok"]
    assert reply["error"].startswith("not the name of a run folder")


def test_start_refuses_a_folder_that_is_not_there(launcher: LauncherHarness) -> None:
    assert "No such file" in launcher.web.ask("start", folder="2026-11/1-abcdef")["error"]


def test_start_follows_no_link(launcher: LauncherHarness, tmp_path: Path) -> None:
    launcher.path(launcher.new_folder(["/bin/true"], name="2026-11/1-abcdef")).rename(
        tmp_path / "elsewhere"
    )
    launcher.path("2026-11/1-abcdef").symlink_to(tmp_path / "elsewhere")
    launcher.path("2026-12").symlink_to(launcher.path("2026-11"))

    assert "not a real directory" in launcher.web.ask("start", folder="2026-11/1-abcdef")["error"]
    assert "not a real directory" in launcher.web.ask("start", folder="2026-12/1-abcdef")["error"]


def test_two_starts_of_one_folder_run_it_once(launcher: LauncherHarness) -> None:
    folder = launcher.new_folder(
        [sys.executable, "-I", "-S", "-c", "import time; print('once'); time.sleep(.2)"]
    )

    for _ in range(5):
        assert launcher.web.ask("start", folder=folder)["ok"]

    wait_for(lambda: launcher.web.ask("ping")["runs"] == 0)
    assert launcher.exit_of(folder)["status"] == "succeeded"
    assert [record.text for record in launcher.records_of(folder)] == [b"once"]


def test_a_folder_that_has_run_does_not_run_again(launcher: LauncherHarness) -> None:
    folder = launcher.run("print('once')")
    before = launcher.exit_of(folder)
    launcher.web.ask("start", folder=folder)

    wait_for(lambda: launcher.web.ask("ping")["runs"] == 0)
    assert launcher.exit_of(folder) == before


def test_cancel_says_when_there_is_nobody_to_signal(launcher: LauncherHarness) -> None:
    assert launcher.web.ask("cancel", folder="2026-11/1-abcdef")["signalled"] is False


def test_a_cancel_right_behind_the_start_is_not_lost(launcher: LauncherHarness) -> None:
    folder = launcher.run(SLEEPER)

    assert launcher.web.ask("cancel", folder=folder)["signalled"]
    assert launcher.exit_of(folder)["status"] == "cancelled"


def test_adopt_refuses_a_folder_whose_runner_is_gone(launcher: LauncherHarness) -> None:
    folder = launcher.run("pass")
    launcher.exit_of(folder)
    wait_for(lambda: launcher.web.ask("ping")["runs"] == 0)

    assert launcher.web.ask("adopt", folder=folder)["adopted"] is False


@pytest.mark.parametrize(
    "change", [{"runner_start": 1}, {"boot_id": "another"}, {"runner_pid": 0}, {"runner_pid": "x"}]
)
def test_adopt_refuses_a_process_that_only_has_the_pid(
    launcher: LauncherHarness, change: dict[str, object]
) -> None:
    folder = launcher.new_folder(["/bin/true"])
    own = {
        "runner_pid": os.getpid(),
        "runner_start": procfs.start_time(os.getpid()),
        "boot_id": procfs.boot_id(),
    }
    (launcher.path(folder) / "state.json").write_text(json.dumps(own | change))

    assert launcher.web.ask("adopt", folder=folder)["adopted"] is False


def test_remove_all_deletes_the_folder(launcher: LauncherHarness) -> None:
    folder = launcher.run(
        "import os; os.makedirs('tmp/a/b'); os.symlink('/', 'tmp/root'); os.mkfifo('tmp/a/fifo')"
    )
    launcher.exit_of(folder)
    wait_for(lambda: launcher.web.ask("ping")["runs"] == 0)

    assert launcher.web.ask("remove", folder=folder, what="all")["ok"]
    assert not launcher.path(folder).exists()


def test_remove_tmp_leaves_the_rest(launcher: LauncherHarness) -> None:
    folder = launcher.run("import os; os.makedirs('tmp/a'); open('tmp/a/b', 'w')")
    launcher.exit_of(folder)

    assert launcher.web.ask("remove", folder=folder, what="tmp")["ok"]
    assert not (launcher.path(folder) / "tmp").exists()
    assert launcher.exit_of(folder)


def test_remove_of_what_is_gone_is_done(launcher: LauncherHarness) -> None:
    folder = launcher.new_folder(["/bin/true"])
    assert launcher.web.ask("remove", folder=folder, what="all")["ok"]

    assert launcher.web.ask("remove", folder=folder, what="all")["ok"]
    assert launcher.web.ask("remove", folder=folder, what="tmp")["ok"]


def test_remove_follows_no_link(launcher: LauncherHarness, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    folder = launcher.new_folder(["/bin/true"], name="2026-11/1-abcdef")
    (launcher.path(folder) / "link").symlink_to(tmp_path / "precious")
    (launcher.path(folder) / "tmp").symlink_to(tmp_path / "precious")
    launcher.path("2026-11/2-abcdef").symlink_to(tmp_path / "precious")

    assert not launcher.web.ask("remove", folder=folder, what="tmp")["ok"]
    assert not launcher.web.ask("remove", folder="2026-11/2-abcdef", what="all")["ok"]
    assert launcher.web.ask("remove", folder=folder, what="all")["ok"]
    assert (tmp_path / "precious" / "file").exists()


def test_remove_all_refuses_a_folder_that_runs(launcher: LauncherHarness) -> None:
    folder = launcher.run(SLEEPER)
    launcher.wait_for_output(folder, b"on")

    assert launcher.web.ask("remove", folder=folder, what="all")["error"].endswith(
        "is still running"
    )
    assert launcher.web.ask("remove", folder=folder, what="tmp")["ok"]


def test_remove_all_refuses_a_folder_whose_lock_another_holds(launcher: LauncherHarness) -> None:
    folder = launcher.new_folder(["/bin/true"])
    folder_fd = os.open(launcher.path(folder), os.O_RDONLY)
    lock_fd = locks.acquire(folder_fd)

    assert launcher.web.ask("remove", folder=folder, what="all")["error"].endswith(
        "is still running"
    )
    assert lock_fd is not None
    os.close(lock_fd)
    assert launcher.web.ask("remove", folder=folder, what="all")["ok"]
    os.close(folder_fd)


def test_remove_refuses_an_unknown_part(launcher: LauncherHarness) -> None:
    assert (
        "all"
        in launcher.web.ask("remove", folder=launcher.new_folder(["/bin/true"]), what="half")[
            "error"
        ]
    )


def make_script_folder(launcher: LauncherHarness, slug: str) -> Path:
    """The folder of a script, with a file in a folder in its `files/`."""
    folder = launcher.data / "scripts" / slug
    (folder / "files" / "deep").mkdir(parents=True)
    (folder / "files" / "deep" / "file").touch()
    return folder


def test_remove_script_deletes_its_folder_and_no_other(
    launcher: LauncherHarness, tmp_path: Path
) -> None:
    folder, beside = make_script_folder(launcher, "old"), make_script_folder(launcher, "old-2")
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    (folder / "files" / "link").symlink_to(tmp_path / "precious")

    assert launcher.web.ask("remove", folder="old", what="script")["ok"]
    assert launcher.web.ask("remove", folder="old", what="script")["ok"]
    assert not folder.exists()
    assert (beside / "files" / "deep" / "file").exists() and (
        tmp_path / "precious" / "file"
    ).exists()


def test_remove_script_follows_no_link_to_a_script(
    launcher: LauncherHarness, tmp_path: Path
) -> None:
    make_script_folder(launcher, "old")
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    (launcher.data / "scripts" / "way").symlink_to(tmp_path / "precious")

    assert not launcher.web.ask("remove", folder="way", what="script")["ok"]
    assert (tmp_path / "precious" / "file").exists()


def test_remove_script_leaves_what_an_admin_has_mounted_into_it(launcher: LauncherHarness) -> None:
    folder = make_script_folder(launcher, "old")
    with small_disk(folder / "files" / "share", 1) as share:
        (share / "file").touch()
        answer = launcher.web.ask("remove", folder="old", what="script")

        assert "busy" in answer["error"]
        assert (share / "file").exists()
    assert launcher.web.ask("remove", folder="old", what="script")["ok"]


@pytest.mark.parametrize(
    "slug", ["", ".", "..", "../runs", "a/b", "/etc", "A", "a.b", "a\n", "x" * 81, None, 7]
)
def test_remove_script_refuses_what_is_no_scripts_name(
    launcher: LauncherHarness, slug: object
) -> None:
    assert launcher.web.ask("remove", folder=slug, what="script")["error"].startswith(
        "not the name of a script"
    )


def test_a_tree_of_any_depth_and_mode_is_removed() -> None:
    program = """
import os, resource, sys
sys.path.append(sys.argv[2])
from runs_app.launcher import removal
resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))
sys.setrecursionlimit(60)
os.chdir(sys.argv[1])
if os.getuid() == 0:  # who needs no rights: the owner has to be somebody else
    os.chown(".", 65534, -1)
    os.setuid(65534)
os.mkdir("tree")
top = os.open("tree", os.O_RDONLY)
fd = top
for depth in range(200):
    os.mkdir("down", dir_fd=fd)
    open(os.open("file", os.O_CREAT, dir_fd=fd), closefd=True)
    deeper = os.open("down", os.O_RDONLY, dir_fd=fd)
    os.fchmod(fd, [0o700, 0o500, 0][depth % 3])
    os.close(fd)
    fd = deeper
removal.remove_tree("tree", dir_fd=os.open(".", os.O_RDONLY))
print(os.listdir("."))
"""
    root = str(Path(removal.__file__).parents[2])
    with tempfile.TemporaryDirectory() as folder:  # not pytest's: those are closed to other users
        command = [sys.executable, "-c", program, folder, root]
        assert subprocess.check_output(command, text=True, timeout=60) == "[]\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to other users")
def test_root_with_few_rights_removes_what_other_users_left(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    folders = [tree, tree / "web", tree / "web/script", tree / "web/script/root", tree / "closed"]
    for folder, owner in zip(folders, (1234, 1234, 50_000, 0, 50_001), strict=True):
        folder.mkdir()
        (folder / "file").touch()
        os.chown(folder / "file", 50_000, 0)
        os.chown(folder, owner, owner)
        folder.chmod(0o500 if owner else 0o700)
    (tree / "closed").chmod(0)
    os.chown(tmp_path, 1234, 1234)
    above = os.open(tmp_path, os.O_RDONLY)

    assert few_rights.act(lambda: removal.remove_tree("tree", dir_fd=above))
    os.close(above)
    assert not tree.exists()


def test_a_folder_that_is_moved_while_it_is_emptied_leads_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tree/inner").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/kept").touch()
    unlink_files = removal._unlink_files

    def move_and_unlink(fd: int) -> list[str]:
        if (tmp_path / "tree/inner").exists() and os.path.samestat(
            os.fstat(fd), (tmp_path / "tree/inner").stat()
        ):
            (tmp_path / "tree/inner").rename(tmp_path / "elsewhere/inner")
        return unlink_files(fd)

    monkeypatch.setattr(removal, "_unlink_files", move_and_unlink)
    above = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(OSError) as caught:
        removal.remove_tree("tree", dir_fd=above)
    os.close(above)
    assert caught.value.errno == errno.ESTALE
    assert (tmp_path / "elsewhere/kept").exists()


def test_a_removal_does_not_hold_up_the_loop(launcher: LauncherHarness) -> None:
    folder = launcher.new_folder(["/bin/true"])
    for number in range(5000):
        (launcher.path(folder) / str(number)).touch()
    remove = wire.encode({"op": "remove", "id": "slow", "folder": folder, "what": "all"})
    launcher.web.control.sendall(remove + wire.encode({"op": "ping", "id": "quick"}))

    assert [launcher.web.receive()["id"], launcher.web.receive()["id"]] == ["quick", "slow"]


def test_the_answer_to_a_web_that_is_gone_harms_nobody(launcher: LauncherHarness) -> None:
    folder = launcher.new_folder(["/bin/true"])
    for number in range(3000):
        (launcher.path(folder) / str(number)).touch()
    launcher.web.control.sendall(
        wire.encode({"op": "remove", "id": 1, "folder": folder, "what": "all"})
    )
    launcher.web.control.shutdown(socket.SHUT_RD)
    wait_for(lambda: not launcher.path(folder).exists())

    assert launcher.next_web().ask("ping")["ok"]


def test_a_runner_has_a_session_of_its_own(launcher: LauncherHarness) -> None:
    folder = launcher.run(SLEEPER)
    runner = launcher.state_of(folder)["runner_pid"]

    assert os.getsid(runner) == runner


# --- what keeps runs from being started -----------------------------------------------------------------------------
def test_ping_says_that_runs_can_be_started(launcher: LauncherHarness) -> None:
    assert launcher.web.ask("ping")["problem"] == ""


def test_ping_says_that_no_files_can_be_opened(launcher: LauncherHarness) -> None:
    pid = launcher.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (5, before[1]))

    assert launcher.web.ask("ping")["problem"] == (
        "the launcher can open no more files: Too many open files"
    )
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    assert launcher.web.ask("ping")["problem"] == ""


def test_ping_says_that_no_processes_can_be_started(place: Place) -> None:
    folder = place.launcher.new_folder(["/bin/true"])
    limit_processes(place, "0:")
    told = place.launcher.web.ask("ping")["problem"]
    refused = place.launcher.web.ask("start", folder=folder)["error"]
    limit_processes(place, "1000:")

    assert told == "the launcher can start no more processes: Resource temporarily unavailable"
    assert "Resource temporarily unavailable" in refused
    assert place.launcher.web.ask("ping")["problem"] == ""


def limit_processes(place: Place, limit: str) -> None:
    """As its own user: a root without CAP_SYS_RESOURCE may not."""
    command = ["prlimit", f"--pid={place.launcher.process.pid}", f"--nproc={limit}"]
    user = place.mode.launcher if os.geteuid() == 0 else None
    subprocess.run(command, check=True, user=user, group=user)


@pytest.fixture
def place() -> Iterator[Place]:
    """A launcher that is not root, whom no limit of processes holds."""
    yield from opened(ORDINARY)


def test_runs_made_anew_are_used_and_a_link_in_their_place_is_not(
    launcher: LauncherHarness, tmp_path: Path
) -> None:
    runs, folder = launcher.path(""), "2026-11/7-abcdef"
    (tmp_path / "elsewhere" / folder).mkdir(parents=True)
    runs.rename(tmp_path / "away")
    runs.symlink_to(tmp_path / "elsewhere")
    assert not launcher.web.ask("start", folder=folder)["ok"]
    assert list((tmp_path / "elsewhere" / folder).iterdir()) == []

    runs.unlink()
    runs.mkdir()
    assert launcher.exit_of(launcher.run("print('anew')"))["status"] == "succeeded"
