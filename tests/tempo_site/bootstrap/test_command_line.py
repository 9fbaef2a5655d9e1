"""The command line as people type it: `tempo`, its short names, its ends, and whose files it makes."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import ManagementUtility, get_commands

from tempo_site.bootstrap import command_line, console_script
from tests.service import ROOT, environment


def test_short_names_are_of_commands_that_there_are_and_hide_none() -> None:
    commands = get_commands()
    assert set(command_line.SHORT.values()) <= commands.keys()
    assert not command_line.SHORT.keys() & commands.keys()


@pytest.mark.parametrize(
    ("problem", "code"), [(KeyboardInterrupt(), 130), (BrokenPipeError(), 141)]
)
def test_whoever_goes_away_gets_no_traceback(
    problem: BaseException,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],  # its stdout may be closed
) -> None:
    def breaks(self: object) -> None:
        raise problem

    monkeypatch.setattr(ManagementUtility, "execute", breaks)
    with pytest.raises(SystemExit) as end:
        command_line.execute(["manage.py", "runs"])
    assert end.value.code == code


def test_bytes_that_are_no_text_are_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def stores(self: object) -> None:
        "\udcff".encode()

    monkeypatch.setattr(ManagementUtility, "execute", stores)
    with pytest.raises(SystemExit) as end:
        command_line.execute(["manage.py", "createkey", "\udcff"])
    assert end.value.code == "What was given is no text in UTF-8."


def test_a_folder_in_which_tempo_never_was_started_is_named(tmp_path: Path) -> None:
    data = tmp_path / "data"
    command = [sys.executable, str(ROOT / "manage.py"), "listkeys"]
    done = subprocess.run(
        command, env=environment(data), capture_output=True, text=True, timeout=60
    )
    sentence = f"The data folder {data} is not prepared."
    hint = "hint: start Tempo, or give the command `prepare`"
    assert (done.returncode, done.stderr) == (1, f"{sentence}\n{hint}\n")
    assert stat.S_IMODE((data / "tempo.sqlite3").stat().st_mode) == 0o600


@pytest.mark.slow
def test_tempo_is_a_word_wherever_it_lies(prepared: Path, tmp_path: Path) -> None:
    programs = tmp_path / "with a space"
    programs.mkdir()
    tempo = console_script.write(programs, python=sys.executable)
    variables = environment(prepared)
    done = subprocess.run(
        [tempo, "help", "runs"], env=variables, capture_output=True, text=True, timeout=60, cwd="/"
    )
    assert done.stdout.startswith("usage: tempo listruns"), done.stderr
