"""Why a script failed is read from all of its last words, as Python and the tools that it starts really write them."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from runs_app.launcher.spec import Limits, Spec
from runs_app.launcher.watch.explanation import explain
from runs_app.launcher.watch.verdict import Cause, ExitFacts
from tests import mounts
from tests.runs_app.launcher.confined import IS_ROOT, ORDINARY, STRONG, Place, opened
from tests.runs_app.launcher.harness import LauncherHarness, wait_for

LIMITS = {"memory_mb": 512, "file_mb": 1, "open_files": 40, "processes": 64}
CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
FILL = "open('big', 'wb').write(b'x' * (3 << 20))"
FILE_SIZE = "A file grew past the limit of 1 MB for each file"


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LauncherHarness]:
    with LauncherHarness(tmp_path_factory.mktemp("data")) as launcher:
        yield launcher
        wait_for(lambda: not launcher.survivors())


def indented(code: str) -> str:
    return code.replace("\n", "\n    ")


def told_of(launcher: LauncherHarness, code: str) -> dict[str, Any]:
    return launcher.exit_of(launcher.run(code, limits=LIMITS))


def message_of(launcher: LauncherHarness, code: str) -> str:
    return str(told_of(launcher, code)["message"])


WRAPPINGS = {
    "as it is": "{fill}",
    "the cause of another": """
try:
    {fill}
except OSError as error:
    raise RuntimeError("it did not work") from error
""",
    "followed by another": """
try:
    {fill}
finally:
    raise KeyError("cleaning up failed too")
""",
    "one of a group": """
try:
    {fill}
except OSError as error:
    raise ExceptionGroup("several", [ValueError("harmless"), ExceptionGroup("inner", [error])])
""",
    "of a task": """
import asyncio
async def work():
    {fill}
async def main():
    async with asyncio.TaskGroup() as group:
        group.create_task(work())
        group.create_task(asyncio.sleep(9))
asyncio.run(main())
""",
    "with lines of atexit behind it": """
import atexit, sys
atexit.register(lambda: print("bye", file=sys.stderr))
{fill}
""",
    "with an error of atexit behind it": """
import atexit
atexit.register(lambda: {{}}["missing"])
{fill}
""",
    "with ignored errors behind it": """
class Spoilt:
    def __del__(self):
        try:
            raise KeyError("inner")
        finally:
            raise ValueError("outer")
spoilt = Spoilt()
{fill}
""",
    "with a note": """
try:
    {fill}
except OSError as error:
    error.add_note("while the report was written")
    raise
""",
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_an_error_is_found_wherever_it_stands(launcher: LauncherHarness, wrapping: str) -> None:
    assert message_of(launcher, WRAPPINGS[wrapping].format(fill=FILL)) == FILE_SIZE


def test_an_error_that_was_dealt_with_explains_nothing(launcher: LauncherHarness) -> None:
    code = f"""
import traceback
try:
    {FILL}
except OSError:
    traceback.print_exc()
raise ValueError("something else")
"""
    assert message_of(launcher, code) == "Exit code 1: ValueError: something else"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("raise SystemExit('no backup was made')", "Exit code 1: no backup was made"),
        ("import sys; print('first'); sys.exit('a\\nb')", "Exit code 1: b"),
        ("raise SystemExit(3)", ""),
        ("raise ValueError('bad')", "Exit code 1: ValueError: bad"),
        ("x = = 1", "Exit code 1: SyntaxError: invalid syntax"),
        ("import sys; sys.stderr.write('warned\\n'); sys.exit(4)", "Exit code 4: warned"),
        (
            "import logging\ntry: 1/0\nexcept Exception: logging.exception('failed')\nraise SystemExit('given up')",
            "Exit code 1: ZeroDivisionError: division by zero … given up",
        ),
        (
            "import argparse; p = argparse.ArgumentParser('tool'); p.add_argument('day'); p.parse_args([])",
            "Exit code 2: tool: error: the following arguments are required: day",
        ),
    ],
)
def test_what_it_said_last_is_its_message(
    launcher: LauncherHarness, code: str, message: str
) -> None:
    assert message_of(launcher, code) == message


def test_a_long_text_is_cut(launcher: LauncherHarness) -> None:
    message = message_of(launcher, "raise SystemExit('x' * 3000)")

    assert message == "Exit code 1: " + "x" * 200


def of_a_child(command: str) -> str:
    return f"import subprocess\nsubprocess.run({command!r}, shell=True, check=True)"


@pytest.mark.parametrize("check", ["True", "False"])
def test_what_a_child_said_explains_the_end(launcher: LauncherHarness, check: str) -> None:
    code = f"""
import subprocess, sys
done = subprocess.run("echo x; dd if=/dev/zero of=/dev/full count=1 status=none", shell=True, check={check})
sys.exit(done.returncode)
"""
    assert message_of(launcher, code) == "There was no room left on a disk that it wrote to"


def test_what_a_child_said_before_another_error_explains_nothing(launcher: LauncherHarness) -> None:
    code = of_a_child("dd if=/dev/zero of=/dev/full count=1 status=none").replace("True)", "False)")
    message = message_of(launcher, code.replace("check=True", "check=False") + "\n{}['key']")

    assert message == "Exit code 1: KeyError: 'key'"


# What tools say, where the tool or its trouble is not to be had here.
@pytest.mark.parametrize(
    ("said", "begin"),
    [
        ("No user exists for uid 50001", "A program asked for the name of the user"),
        ("psql: error: local user with ID 9 does not exist", "A program asked for the name"),
        ("whoami: cannot find name for user ID 50001", "A program asked for the name"),
        ("git@host: Permission denied (publickey).", "The other side accepted no SSH key"),
        ("root@h: Permission denied (password,publickey).", "The other side accepted no SSH key"),
        ("Bad owner or permissions on /x/.ssh/config", "ssh takes no key and no settings that"),
        ("Host key verification failed.", "ssh does not know the other side yet"),
        ("cp: error writing 'x': No space left on device", "There was no room left"),
        ("sqlite3.OperationalError: database or disk is full", "There was no room left"),
        ("[0:FATAL:zygote_host_impl_linux.cc(127)] No usable sandbox! Update", "Chromium cannot"),
        ("[av @ 0x5] malloc of size 9 failed", "Asked for more memory than its limit of 512 MB"),
        ("x264 [error]: malloc of size 30365632 failed", "Asked for more memory"),
        (
            "[e @ 0x5] Error while opening encoder - maybe incorrect parameters",
            "ffmpeg could not begin",
        ),
        (
            "[s @ 0x7] Failed initializing scaling graph (Resource temporarily unavailable): fmt:rgb24",
            "ffmpeg could not begin: the memory limit leaves no room",
        ),
        ("bash: fork: retry: Resource temporarily unavailable", "Was refused another process"),
        ("terminate called after throwing 'std::bad_alloc'", "Asked for more memory"),
        ("/usr/bin/python3: No module named pip", "No module named `pip`"),
        ("torch: CUDA out of memory; Cannot allocate memory on CUDA", "Exit code 1: torch: CUDA"),
    ],
)
def test_the_words_of_tools_are_known(launcher: LauncherHarness, said: str, begin: str) -> None:
    assert message_of(launcher, f"raise SystemExit({said!r})").startswith(begin)


def test_a_user_without_a_name_is_told_what_to_install(launcher: LauncherHarness) -> None:
    message = message_of(launcher, "import pwd; pwd.getpwuid(4_000_000_000)")

    assert message.endswith(
        "hint: an admin installs nss_wrapper (Debian: `libnss-wrapper`) and starts Tempo again"
    )


def test_memory_that_was_refused_on_the_way_is_told_as_memory(launcher: LauncherHarness) -> None:
    code = """
try:
    x = b"x" * (2 << 30)
except MemoryError as error:
    raise RuntimeError("no table") from error
"""
    told = told_of(launcher, code)

    assert (told["reason"], "limit of 512 MB" in told["message"]) == ("memory", True)


def test_a_library_that_aborts_for_want_of_memory_is_told_as_memory(
    launcher: LauncherHarness,
) -> None:
    code = """
import os
os.write(2, b"memory allocation of 700000000 bytes failed\\n")
os.abort()
"""
    told = told_of(launcher, code)

    assert (told["reason"], told["signal"]) == ("memory", "SIGABRT")


@pytest.mark.parametrize("module", ["yaml", "yaml.nodes"])
def test_a_missing_module_is_named(launcher: LauncherHarness, module: str) -> None:
    assert message_of(launcher, f"import {module}") == "No module named `yaml`"


# --- paths ----------------------------------------------------------------------------------------------------------
CLOSED = "not among what it may read or write\nhint: staff open more in Settings, on the page Paths"


@pytest.fixture(
    scope="module", params=[STRONG, ORDINARY] if IS_ROOT else [ORDINARY], ids=lambda mode: mode.name
)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if not request.param.has_landlock:
        pytest.skip("this kernel closes no paths")
    yield from opened(request.param)


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("open('/root/x', 'w')", "`/root/x` is"),
        ("open('../../other/files/diary')", "`../../other/files/diary` is"),
        ("open('mine', 'w'); import os; os.rename('mine', '/srv/x')", "`/srv/x` is"),
        ("import os; os.rename('/root/x', '/srv/x')", "`/root/x` and `/srv/x` are"),
        (
            "try: open('/root/x')\nexcept OSError as error: raise RuntimeError('no data') from error",
            "`/root/x` is",
        ),
        ("raise SystemExit(__import__('os').system('echo x > /root/x') % 255)", "`/root/x` is"),
        (of_a_child("cp /etc/hostname /root/x"), "`/root/x` is"),
        (of_a_child("cat '/root/it is'"), "`/root/it is` is"),
    ],
)
def test_a_closed_path_is_named_with_who_opens_it(place: Place, code: str, named: str) -> None:
    assert place.told(code, flags="")["message"] == f"{named} {CLOSED}"


def test_its_own_file_that_is_no_program_is_told_how_to_become_one(place: Place) -> None:
    code = "open('tool', 'w').close()\nimport subprocess; subprocess.run(['./tool'])"
    message = place.told(code, flags="")["message"]

    assert message.startswith("The mode of `./tool` does not allow that")
    assert "os.chmod" in message


@pytest.mark.skipif(not IS_ROOT, reason="only root can mount")
@pytest.mark.parametrize(
    "code",
    ["open('disk/x', 'w')", of_a_child("cp /etc/hostname disk/x; cp /etc/hostname ./disk/y")],
)
def test_a_read_only_file_system_is_not_taken_for_a_closed_path(place: Place, code: str) -> None:
    disk = place.files() / "disk"
    disk.mkdir(exist_ok=True)
    with mounts.read_only(disk):
        message: str = place.told(code, flags="")["message"]

    assert message.startswith("It wrote to a file system that is read-only\nhint: ")


@pytest.mark.parametrize(
    "code", ["open('/tmp/by-a-script', 'w')", of_a_child("cp /etc/hostname /var/tmp")]
)
def test_a_closed_folder_for_temporary_files_is_told_which_to_use(place: Place, code: str) -> None:
    message: str = place.told(code, flags="")["message"]

    assert message.endswith("hint: use `$TMPDIR`, as `tempfile` does")


@pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")
def test_chromium_with_its_own_sandbox_is_told_to_do_without(place: Place) -> None:
    command = f"{CHROMIUM} --headless --dump-dom about:blank"

    assert "`--no-sandbox`" in place.told(of_a_child(command), flags="")["message"]


@pytest.mark.parametrize(
    ("is_exact", "sentence"),
    [
        (True, "Used 83 MB of memory, limit 64 MB"),
        (False, "Used 83 MB of memory, limit 64 MB (shared pages counted for each process)"),
    ],
)
def test_the_peak_is_the_figure_of_a_run_that_passed_its_memory(
    is_exact: bool, sentence: str
) -> None:
    limits = Limits(memory_bytes=64 << 20)
    spec = Spec(1, [], b"/", {}, timeout_s=None, grace_s=5, limits=limits, isolation=None)
    stopped = Cause("failed", "memory", "Used more memory than its limit of 64 MB")
    facts = ExitFacts(stopped, wait_status=9, peak_bytes=83 << 20, is_peak_exact=is_exact)

    told = explain(facts, spec, b"")

    assert told.cause == Cause("failed", "memory", sentence)
