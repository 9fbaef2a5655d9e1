"""Each limit ends a script that passes it, with the reason and the numbers, and leaves alone one that does not."""

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runs_app.launcher.watch import sampling
from tests.runs_app.launcher.harness import LauncherHarness, is_gone, joined, wait_for

# Shared memory: the kernel's own limit, which stands behind, does not count it.
SHARE = "import mmap, time\nm = mmap.mmap(-1, 120 << 20)\nfor _ in range(120): m.write(bytes(1 << 20))\ntime.sleep(60)"
# Children that share what their parent has; resident together they are far beyond what they use.
FAMILY = """
import os, time
kept = b"x" * (40 << 20)
pids = []
for _ in range(5):
    if (pid := os.fork()) == 0:
        time.sleep(0.8)
        os._exit(0)
    pids.append(pid)
for pid in pids:
    os.waitpid(pid, 0)
"""
HANG = """
import faulthandler, signal, time
faulthandler.register(signal.SIGRTMAX)  # as an environment's start-up file does
def wait_for_godot():
    time.sleep(60)
wait_for_godot()
"""


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LauncherHarness]:
    with LauncherHarness(tmp_path_factory.mktemp("data")) as launcher:
        yield launcher
        wait_for(lambda: not launcher.survivors())


def told_of(launcher: LauncherHarness, code: str, **limits: Any) -> dict[str, Any]:
    return launcher.exit_of(launcher.run(code, limits=limits))


def test_memory_past_the_limit_ends_it_and_the_numbers_are_told(launcher: LauncherHarness) -> None:
    folder = launcher.run(SHARE, limits={"memory_mb": 64})
    told = launcher.exit_of(folder)

    assert (told["status"], told["reason"], told["signal"]) == ("failed", "memory", "SIGKILL")
    match = re.fullmatch(r"Used (\d+) MB of memory, limit 64 MB", told["message"])
    assert match and 64 <= int(match[1]) <= 140
    assert round(told["peak_memory_mb"]) == int(match[1]), "one figure on the page"
    said = joined(launcher.records_of(folder), "S")
    assert said == b"Used more memory than its limit of 64 MB\n"


def test_pages_that_processes_share_count_once(launcher: LauncherHarness) -> None:
    told = told_of(launcher, FAMILY, memory_mb=120)

    assert told["status"] == "succeeded", told
    assert told["processes"] == 6


def test_memory_that_is_refused_is_told_as_memory(launcher: LauncherHarness) -> None:
    told = told_of(launcher, "x = b'x' * (200 << 20)", memory_mb=64)

    assert (told["status"], told["reason"], told["exit_code"]) == ("failed", "memory", 1)
    assert "limit of 64 MB" in told["message"]


def test_many_threads_start_under_the_usual_limit(launcher: LauncherHarness) -> None:
    code = """
import threading
gate = threading.Event()
threads = [threading.Thread(target=gate.wait) for _ in range(60)]
for thread in threads: thread.start()
gate.set()
"""
    assert told_of(launcher, code, memory_mb=512)["status"] == "succeeded"


def test_the_kernel_ending_it_for_want_of_memory_is_told_apart(launcher: LauncherHarness) -> None:
    with small_cgroup(64 << 20) as members:
        code = f"import os; open({members!r}, 'w').write(str(os.getpid())); x = b'x' * (200 << 20)"
        told = told_of(launcher, code)

    assert (told["status"], told["reason"], told["signal"]) == (
        "failed",
        "memory_system",
        "SIGKILL",
    )
    assert "memory had run out" in told["message"]


def test_cpu_time_past_the_limit_ends_it(launcher: LauncherHarness) -> None:
    told = told_of(launcher, "while True: pass", cpu_s=0.3)

    assert (told["status"], told["reason"]) == ("failed", "cpu")
    assert told["message"].startswith("Used ") and "limit 0.3 s" in told["message"]
    assert told["cpu_s"] >= 0.3


def test_cpu_time_of_children_that_have_ended_counts(launcher: LauncherHarness) -> None:
    code = """
import os, time
while True:
    if (pid := os.fork()) == 0:
        end = time.process_time() + 0.02
        while time.process_time() < end: pass
        os._exit(0)
    os.waitpid(pid, 0)
"""
    assert told_of(launcher, code, cpu_s=0.3)["reason"] == "cpu"


def test_too_many_processes_end_it(launcher: LauncherHarness) -> None:
    code = "import os, time\nfor _ in range(9):\n    if os.fork() == 0: break\ntime.sleep(60)"
    told = told_of(launcher, code, processes=5)

    assert (told["status"], told["reason"]) == ("failed", "processes")
    assert "limit 5" in told["message"]
    assert told["processes"] > 5


BOMB = """
import os, resource
if os.getuid() == 0:  # whom no limit of the kernel binds: tests alone run scripts as root
    os.setuid(65532)
resource.setrlimit(resource.RLIMIT_NPROC, (400, 400))
while True:
    try:
        os.fork()
    except OSError:
        pass
"""


def test_a_fork_bomb_ends_with_nothing_left(launcher: LauncherHarness) -> None:
    told = told_of(launcher, BOMB, processes=20)

    assert (told["status"], told["reason"]) == ("failed", "processes")


def test_output_past_the_last_limit_ends_it(launcher: LauncherHarness) -> None:
    code = "import os\nwhile True: os.write(1, b'x' * 65535 + b'\\n')"
    told = told_of(launcher, code, output_bytes=100_000, output_kill_bytes=3 << 20)

    assert (told["status"], told["reason"]) == ("failed", "output")
    assert told["output_bytes"] > 3 << 20
    assert told["output_dropped"] > 0


def test_a_file_past_its_limit_is_explained(launcher: LauncherHarness) -> None:
    told = told_of(launcher, "open('big', 'wb').write(b'x' * (3 << 20))", file_mb=1)

    assert (told["status"], told["reason"], told["exit_code"]) == ("failed", "exit_code", 1)
    assert told["message"] == "A file grew past the limit of 1 MB for each file"


def test_too_many_open_files_are_explained(launcher: LauncherHarness) -> None:
    told = told_of(launcher, "import os\nkept = [os.dup(0) for _ in range(99)]", open_files=40)

    assert told["exit_code"] == 1
    assert "most open files that are allowed: 40" in told["message"]


def test_who_writes_on_below_the_floor_of_the_disk_is_stopped(launcher: LauncherHarness) -> None:
    code = "import time\nwhile True:\n    open('junk', 'wb').write(b'x' * (1 << 20))\n    time.sleep(0.05)"
    told = told_of(launcher, code, min_free_mb=1e9)

    assert (told["status"], told["reason"]) == ("failed", "disk")
    assert "MB were free" in told["message"]


def test_who_only_calculates_below_the_floor_goes_on(launcher: LauncherHarness) -> None:
    told = told_of(launcher, "import time; time.sleep(2.6)", min_free_mb=1e9)

    assert told["status"] == "succeeded"


def test_the_place_where_it_hung_is_told(launcher: LauncherHarness) -> None:
    folder = launcher.new_folder([sys.executable, "-I", "-S", "main.py"], timeout_s=0.5)
    (launcher.path(folder) / "main.py").write_text(HANG)
    launcher.web.ask("start", folder=folder)
    told = launcher.exit_of(folder)

    assert (told["status"], told["reason"]) == ("timed_out", "time")
    assert (
        told["message"]
        == "Stopped after 0.5 s (time limit); it stood at `main.py` line 5, in `wait_for_godot`"
    )
    assert b"most recent call first" in joined(launcher.records_of(folder), "E")


def test_a_script_deaf_to_term_is_made_to_say_where_it_is(launcher: LauncherHarness) -> None:
    code = "import signal, time\nsignal.signal(15, signal.SIG_IGN)\ntime.sleep(60)"
    env = {"PYTHONFAULTHANDLER": "1"}
    folder = launcher.new_folder(
        [sys.executable, "-S", "main.py"], timeout_s=0.5, grace_s=0.2, env=env
    )
    (launcher.path(folder) / "main.py").write_text(code)
    launcher.web.ask("start", folder=folder)
    told = launcher.exit_of(folder)

    assert (told["status"], told["signal"]) == ("timed_out", "SIGABRT")
    assert told["message"].endswith("it stood at `main.py` line 3, in `<module>`")


def test_it_is_as_nice_as_it_is_told_to_be(launcher: LauncherHarness) -> None:
    folder = launcher.run("import os; print(os.nice(0))", limits={"nice": 11})
    launcher.exit_of(folder)

    assert joined(launcher.records_of(folder)) == b"%d\n" % (os.nice(0) + 11)


def test_a_run_leaves_samples(launcher: LauncherHarness) -> None:
    folder = launcher.run("import time; time.sleep(1.6)")
    launcher.exit_of(folder)
    head, *lines = (launcher.path(folder) / sampling.NAME).read_text().splitlines()

    assert head == "at_ms,cpu_percent,memory_kb,processes,output_bytes"
    assert len(lines) == 2
    at_ms, cpu, memory_kb, processes, output_bytes = map(float, lines[0].split(","))
    assert at_ms > 1.7e12 and cpu >= 0 and memory_kb > 1000
    assert (processes, output_bytes) == (1, 0)


def test_samples_are_thinned_out_instead_of_growing_for_ever(tmp_path: Path) -> None:
    folder_fd = os.open(tmp_path, os.O_RDONLY)
    samples = sampling.Samples(folder_fd, interval_s=1.0)
    for second in range(5000):
        samples.add(sampling.Usage(1, second / 2, 1 << 20), second, float(second + 1))
    os.close(folder_fd)
    lines = (tmp_path / sampling.NAME).read_text().splitlines()[1:]

    assert 500 < len(lines) < 1200
    seconds = [int(line.split(",")[4]) for line in lines]
    assert seconds == sorted(seconds)
    assert seconds[0] < 16 and seconds[-1] > 4980


def test_nobody_is_left_of_a_tree_that_passed_a_limit(launcher: LauncherHarness) -> None:
    code = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        time.sleep(60)
    os._exit(0)
while True: pass
"""
    folder = launcher.run(code, limits={"cpu_s": 0.3}, grace_s=0.2)
    launcher.exit_of(folder)
    daemon = int(joined(launcher.records_of(folder), "O").split()[0])

    wait_for(lambda: is_gone(daemon))


@contextlib.contextmanager
def small_cgroup(memory_bytes: int) -> Iterator[str]:
    """A cgroup with that much memory; the file that takes the pids of its members."""
    first = Path("/sys/fs/cgroup/memory")
    is_first_version = first.is_dir()
    top = first if is_first_version else Path("/sys/fs/cgroup")
    if not is_first_version:
        (top / "cgroup.subtree_control").write_text("+memory")
    group = top / f"tempo-test-{os.getpid()}"
    group.mkdir()
    limit = "memory.limit_in_bytes" if is_first_version else "memory.max"
    try:
        (group / limit).write_text(str(memory_bytes))
        yield str(group / "cgroup.procs")
    finally:
        wait_for(lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()


def test_files_get_the_rights_that_the_operator_chose(launcher: LauncherHarness) -> None:
    code = "import os; open('made', 'w').close(); print(oct(os.stat('made').st_mode & 0o777))"
    folder = launcher.run(code, limits={"umask": 0o002})
    assert launcher.exit_of(folder)["status"] == "succeeded"
    assert joined(launcher.records_of(folder), "O") == b"0o664\n"
