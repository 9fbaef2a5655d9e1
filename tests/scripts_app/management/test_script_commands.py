"""The commands `addscript`, `listscripts`, `showscript`, `pauseall` and `resumeall`."""

import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command, get_commands, load_command_class
from django.utils import timezone

from scripts_app.models import Schedule, Script
from scripts_app.schedules import global_pause
from tests.factories import make_schedule, make_script

pytestmark = pytest.mark.django_db


def said(*argv: str) -> str:
    """What a command prints."""
    printed = io.StringIO()
    call_command(*argv, stdout=printed)
    return printed.getvalue()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A script as people have it."""
    path = tmp_path / "Nightly backup.py"
    path.write_text("print('hello')\n")
    return path


def test_addscript_makes_a_script_with_packages_and_a_schedule(file: Path, tmp_path: Path) -> None:
    (tmp_path / "needed.txt").write_text("requests\n")
    needed = str(tmp_path / "needed.txt")
    cron = ("--cron", "30 2 * * *", "--zone", "Europe/Berlin")
    assert (
        said("addscript", str(file), "--folder", "Ops", "--requirements", needed, *cron)
        == "Made nightly-backup.\n"
    )
    script = Script.objects.get()
    assert script.name == "Nightly backup" and str(script.folder) == "Ops"
    assert script.version and script.version.saved_by.startswith("command: addscript (")
    assert (script.version.code, script.version.requirements) == ("print('hello')\n", "requests\n")
    schedule = Schedule.objects.get()
    assert (schedule.cron, schedule.timezone) == ("30 2 * * *", "Europe/Berlin")


def test_addscript_prints_the_script_of_the_api(file: Path) -> None:
    shown = json.loads(said("addscript", str(file), "--name", "Other", "--json"))
    assert (shown["slug"], shown["version"]) == ("other", 1)


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["--cron", "99 * * * *"], "99"),
        (["--zone", "Nowhere", "--cron", "* * * * *"], "Nowhere"),
        (["--zone", "Europe/Berlin"], "add --cron"),
        (["--requirements", "/nowhere/at/all"], "cannot be read"),
        (["--python", "1.0"], "1.0"),
    ],
)
def test_addscript_makes_nothing_of_what_is_refused(file: Path, argv: list[str], why: str) -> None:
    with pytest.raises(CommandError, match=why):
        call_command("addscript", str(file), *argv)
    assert not Script.objects.exists()


def test_addscript_says_what_is_no_text_and_what_has_no_name(tmp_path: Path) -> None:
    (tmp_path / "binary.py").write_bytes(b"\xff\xfe")
    with pytest.raises(CommandError, match="no text in UTF-8"):
        call_command("addscript", str(tmp_path / "binary.py"))
    with pytest.raises(CommandError, match="needs a name"):
        call_command("addscript", "-")


def test_listscripts_and_showscript_tell_the_next_start() -> None:
    script = make_script("Hello", folder="Ops/Nightly")
    make_script("Other")
    schedule = make_schedule(script, now=timezone.now(), kind="cron", cron="0 0 1 1 *")
    lines = said("listscripts", "--folder", "Ops").splitlines()
    assert [line.split()[0] for line in lines] == ["script", "hello"]
    assert "-01-01 00:00:00" in lines[1]
    listed = [json.loads(line) for line in said("listscripts", "--json").splitlines()]
    assert [each["slug"] for each in listed] == ["hello", "other"]
    shown = said("showscript", "hello")
    assert schedule.describe() in shown and "-01-01 00:00:00" in shown
    assert said("showscript", "hello", "--code") == "print('hello')\n"
    assert json.loads(said("showscript", "hello", "--json"))["schedules"][0]["id"] == schedule.pk
    with pytest.raises(CommandError, match="There is no folder `ops`"):
        call_command("listscripts", "--folder", "ops")
    with pytest.raises(CommandError, match="There is no script `nothing`"):
        call_command("showscript", "nothing")


def test_pauseall_and_resumeall_are_the_pause_of_all_schedules() -> None:
    assert said("resumeall") == "The schedules were not paused.\n"
    assert said("pauseall") == "All schedules are paused until `resumeall`.\n"
    pause = global_pause.current_pause(timezone.now())
    assert pause is not None and pause.by.startswith("command: ")
    assert json.loads(said("pauseall", "--until", "2999-01-01T06:00", "--json"))["until"] == (
        "2999-01-01T06:00:00Z"
    )
    assert said("resumeall") == "All schedules fire again.\n"
    assert global_pause.current_pause(timezone.now()) is None


@pytest.mark.parametrize(
    ("moment", "why"),
    [("tomorrow", "no time"), ("", "no time"), ("2020-01-01", "over already")],
)
def test_pauseall_refuses_what_is_no_moment_to_come(moment: str, why: str) -> None:
    with pytest.raises(CommandError, match=why):
        call_command("pauseall", "--until", moment)


@pytest.mark.parametrize(
    ("command", "argv"),
    [
        ("pauseall", ["--until", "tomorrow"]),
        ("createkey", ["ci", "--expires", "9999-12-31"]),
        ("addscript", ["-"]),
        ("addscript", ["a.py", "--zone", "UTC"]),
        ("sendtest", []),
    ],
)
def test_a_command_that_is_not_written_right_ends_with_2(command: str, argv: list[str]) -> None:
    module = load_command_class(str(get_commands()[command]), command)
    with pytest.raises(SystemExit) as end:
        module.run_from_argv(["tempo", command, *argv])
    assert end.value.code == 2
