"""What a crontab says, line by line, as cron reads it."""

import time
from contextlib import suppress

import pytest

from scripts_app.crontab import parser
from scripts_app.crontab.parser import CrontabEntry, CrontabError, printable
from tests.rows import each_row

TYPICAL = """\
# m h dom mon dow command
SHELL=/bin/bash
PATH = "/usr/local/bin:/usr/bin"
  MAILTO=''

30 2 * * *  /usr/bin/python3 /home/ann/backup.py --all
   @reboot\t/home/ann/start.sh
CRON_TZ=Europe/Berlin
0 9 * * mon-fri mail -s "100\\% done" ann%Hello%there
"""


def entries(text: str) -> list[CrontabEntry]:
    """What a user's crontab says."""
    return parser.parse_crontab(text).entries


def test_comments_blank_lines_and_variables_start_nothing() -> None:
    assert [(entry.number, entry.when, entry.command) for entry in entries(TYPICAL)] == [
        (6, "30 2 * * *", "/usr/bin/python3 /home/ann/backup.py --all"),
        (7, "@reboot", "/home/ann/start.sh"),
        (9, "0 9 * * mon-fri", 'mail -s "100% done" ann'),
    ]


def test_variables_hold_for_the_lines_below_them() -> None:
    first, _, last = entries(TYPICAL)
    assert first.variables == {
        "SHELL": "/bin/bash",
        "PATH": "/usr/local/bin:/usr/bin",
        "MAILTO": "",
    }
    assert (first.zone, last.zone) == ("", "Europe/Berlin")


def test_what_cron_keeps_for_itself_is_not_given_to_the_script() -> None:
    assert entries("CRON_TZ=UTC\nTZ=Asia/Tokyo\nHOME=/srv\nKEY=1\n@daily x")[
        0
    ].script_variables == {
        "TZ": "Asia/Tokyo",
        "KEY": "1",
    }


def test_a_percent_sign_begins_the_input_and_further_ones_are_line_breaks() -> None:
    assert entries(TYPICAL)[-1].stdin == "Hello\nthere\n"
    assert entries(r"@daily date +\%F")[0].command == "date +%F"
    assert entries(r"@daily date +\%F")[0].stdin is None


@pytest.mark.parametrize(
    ("line", "word"),
    [("hello there world", "no time"), ("0 5 * * *", "no command"), ("@daily", "no command")],
)
def test_a_line_that_is_none_of_a_crontab_says_why(line: str, word: str) -> None:
    assert word in entries(line)[0].problem


def test_windows_line_ends_are_line_ends() -> None:
    assert [entry.command for entry in entries("@daily a\r\n@daily b\r\n")] == ["a", "b"]


# --- the system form -------------------------------------------------------------------------------------------------
SYSTEM = "17 * * * *\troot\tcd / && run-parts /etc/cron.hourly\n@reboot www-data /usr/bin/python3 /srv/x.py\n"


def test_the_form_with_a_user_is_known_when_every_line_bears_one() -> None:
    table = parser.parse_crontab(SYSTEM, users={"root", "www-data"})
    assert table.is_system
    assert [(entry.user, entry.command) for entry in table.entries] == [
        ("root", "cd / && run-parts /etc/cron.hourly"),
        ("www-data", "/usr/bin/python3 /srv/x.py"),
    ]


def test_one_line_without_a_user_makes_it_a_users_crontab() -> None:
    table = parser.parse_crontab(f"{SYSTEM}@daily /bin/x\n", users={"root", "www-data"})
    assert not table.is_system and table.entries[1].command == "www-data /usr/bin/python3 /srv/x.py"


def test_a_system_file_is_one_whoever_its_users_are() -> None:
    assert (
        parser.parse_crontab("@daily deploy /bin/x\n@daily deploy", is_system=True).entries[0].user
        == "deploy"
    )


# --- what nobody would write -----------------------------------------------------------------------------------------
@each_row(
    ("text", "word"),
    [
        ("@daily x\0y", "NUL"),
        ("#" * (parser.MAX_BYTES + 1), "1 MB"),
        ("é" * (parser.MAX_BYTES // 2 + 1), "1 MB"),
        ("@daily x\n" * 501, "500"),
        ("".join(f"V{number}={'x' * 100}\n" for number in range(200)), "variables"),
    ],
)
def test_a_text_that_is_too_much_is_refused(text: str, word: str) -> None:
    with pytest.raises(CrontabError, match=word):
        parser.parse_crontab(text)


@each_row("piece", ["%", r"\%", "@", "A=", "'", " ", "\\", "* ", "=", "\n\r", "\u2028"])
def test_a_megabyte_of_anything_is_read_or_refused_in_no_time(piece: str) -> None:
    began = time.process_time()
    with suppress(CrontabError):
        parser.parse_crontab(
            f"0 5 * * * {piece * ((parser.MAX_BYTES - 20) // len(piece.encode()))}"
        )
    assert time.process_time() - began < 1


def test_half_a_surrogate_pair_is_replaced() -> None:
    assert entries("@daily \ud800")[0].command == "?"


@each_row("nasty", ["\x1b[2J", "\r", "\x85", "\u2028", "\u202e", "\x00", "\x9b31m"])
def test_what_is_shown_is_one_harmless_line(nasty: str) -> None:
    assert printable(f"a{nasty}b").isprintable()
