"""The command `importcrontab`."""

import io
import re
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from scripts_app.crontab import parser
from scripts_app.models import Schedule, Script

pytestmark = pytest.mark.django_db


class Terminal(io.TextIOWrapper):
    """A standard input that says whether somebody sits before it."""

    def __init__(self, text: str = "", *, is_terminal: bool) -> None:
        super().__init__(io.BytesIO(text.encode(errors="surrogateescape")))
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        """As asked by the command."""
        return self.is_terminal


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A crontab with a Python file, another program and a line that is none."""
    (tmp_path / "backup.py").write_text("print('hello')\n")
    path = tmp_path / "crontab"
    path.write_text(
        f"30 2 * * * python3 {tmp_path}/backup.py >> log\n@reboot /bin/other\n61 * * * * x\nnonsense\n"
    )
    return path


def said(*arguments: str) -> str:
    """What the command prints."""
    out = io.StringIO()
    call_command("importcrontab", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def test_without_a_terminal_it_only_shows(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(is_terminal=False))
    text = said(str(file))
    table = [re.split(" {2,}", line) for line in text.splitlines()]
    assert ["1", "backup", "At 02:30", "UTC", "its code, copied"] in table
    assert ["2", "other", "At start-up", "-", "not Python: a starter that calls it"] in table
    assert "line 3: no schedule: Minute 61: use 0-59" in text
    assert "line 4: no line of a crontab" in text
    assert "add --yes" in text and not Script.objects.exists()


def test_yes_makes_them_switched_off(file: Path) -> None:
    text = said(str(file), "--yes")
    assert "Made backup\nMade other\nMade x\nMade 3 scripts." in text
    assert [schedule.enabled for schedule in Schedule.objects.all()] == [False, False]


@pytest.mark.parametrize(("answer", "count"), [("y", 3), ("YES", 3), ("n", 0), ("", 0)])
def test_somebody_at_a_terminal_is_asked(
    file: Path, monkeypatch: pytest.MonkeyPatch, answer: str, count: int
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(is_terminal=True))
    monkeypatch.setattr("builtins.input", lambda _: answer)
    said(str(file))
    assert Script.objects.count() == count


def test_it_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("@daily one\n", is_terminal=False))
    assert "Made one" in said("-", "--yes")


def test_a_crontab_in_etc_is_a_system_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("scripts_app.management.commands.importcrontab.SYSTEM_FOLDER", tmp_path)
    (tmp_path / "app").write_text("@daily somebody /bin/other\n")
    text = said(str(tmp_path / "app"), "--yes")
    assert "a system crontab" in text and "`somebody` ran it" in text and "Made other" in text


def test_nothing_in_a_crontab_moves_the_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    nasty = "\x1b[2J\x1b]0;title\x07\x9b31m\u202e\r"
    lines = "\n".join(
        [
            f"@daily /bin/a{nasty}",
            f"0 {nasty} * * * b",
            f"0 5 * * * python3 '/x{nasty}.py'",
            f"{nasty}",
            f"CRON_TZ={nasty}",
            "@daily c",
        ]
    )
    monkeypatch.setattr(sys, "stdin", Terminal(lines, is_terminal=False))
    text = said("--yes")
    assert all(character.isprintable() or character == "\n" for character in text)


def test_a_line_of_100000_characters_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sys,
        "stdin",
        Terminal(f"@daily {'x' * 100_000}\n{'9' * 100_000} * * * * y", is_terminal=False),
    )
    assert max(map(len, said().splitlines())) < 500


@pytest.mark.parametrize(
    ("data", "word"),
    [(b"@daily x\0", "NUL"), (b"#" * (parser.MAX_BYTES + 1), "1 MB"), (b"@daily x\n" * 501, "500")],
)
def test_what_is_no_crontab_is_refused(tmp_path: Path, data: bytes, word: str) -> None:
    (tmp_path / "crontab").write_bytes(data)
    with pytest.raises(CommandError, match=word):
        said(str(tmp_path / "crontab"))


def test_bytes_that_are_no_text_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "crontab").write_bytes(b"@daily /bin/x '\xff'\n")
    assert "Made x" in said(str(tmp_path / "crontab"), "--yes")


@pytest.mark.parametrize("name", ["missing", "."])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        said(str(tmp_path / name))


def test_an_empty_crontab_makes_nothing(tmp_path: Path) -> None:
    (tmp_path / "crontab").write_text("# nothing\n")
    assert said(str(tmp_path / "crontab"), "--yes") == "There is nothing to make.\n"


def test_the_choices_hold_for_all_lines_and_lines_are_not_imported_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = "0 5 * * * deploy tool --all\n#0 6 * * * deploy old\n"
    monkeypatch.setattr(sys, "stdin", Terminal(text, is_terminal=False))
    options = [
        "--yes",
        "--system",
        "--folder",
        "Ops",
        "--zone",
        "Asia/Tokyo",
        "--timeout",
        "900",
        "--enable",
    ]
    shown = said(*options)
    assert "Made tool" in shown and "line 2 is commented out" in shown
    script, schedule = Script.objects.get(), Schedule.objects.get()
    assert script.folder and (script.folder.path, script.timeout_s) == ("Ops", 900)
    assert (schedule.enabled, schedule.timezone) == (True, "Asia/Tokyo")
    monkeypatch.setattr(sys, "stdin", Terminal(text, is_terminal=False))
    assert "imported already as tool" in said(*options) and Script.objects.count() == 1
    monkeypatch.setattr(sys, "stdin", Terminal(text, is_terminal=False))
    said(*options, "--again")
    assert Script.objects.count() == 2
