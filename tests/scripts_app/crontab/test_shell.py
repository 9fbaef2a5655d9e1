"""Which program a shell's command calls, read without a shell; what is too clever is left to one."""

import time
from contextlib import suppress

import pytest

from scripts_app.crontab import shell
from scripts_app.crontab.shell import PythonFile, UnsupportedShellSyntax
from tests.rows import each_row

KNOWN = {"HOME": "/home/ann", "DATA": "/srv/data", "TWO": "a b"}


def file_of(command: str) -> PythonFile | None:
    """The Python file that a command runs."""
    return shell.python_file(shell.call(command, KNOWN).words)


@each_row(
    "command",
    [
        "python /srv/x.py",
        "/usr/bin/python3 /srv/x.py",
        "/opt/venv/bin/python /srv/x.py",
        "/usr/bin/env python3 /srv/x.py",
        "env A=1 python3 /srv/x.py",
        "A=1 B='2 3' python3 -u -OO -W ignore -Xdev /srv/x.py",
        "exec nohup python3 /srv/x.py",
        "/srv/x.py",
        ". /opt/venv/bin/activate && python /srv/x.py;",
        "source /opt/venv/bin/activate; python '/srv/x.py' # every day",
        "python /srv/x.py >> /var/log/x.log 2>&1",
        "python /srv/x.py &>/dev/null",
        "python /srv/x.py >/dev/null 2>/dev/null </dev/null",
    ],
)
def test_a_python_file_is_known_however_it_is_called(command: str) -> None:
    found = file_of(command)
    assert found is not None and found.path == "/srv/x.py" and found.arguments == []


def test_arguments_are_what_the_shell_would_have_made_of_them() -> None:
    found = file_of(
        r"""python x.py --to=$DATA/out "a ${DATA} \"b\" \n" 'c $DATA' d\ e ~/f g~h "" i#j"""
    )
    assert found is not None
    assert found.arguments == [
        "--to=/srv/data/out",
        'a /srv/data "b" \\n',
        "c $DATA",
        "d e",
        "/home/ann/f",
        "g~h",
        "",
        "i#j",
    ]


def test_the_folder_variables_and_redirections_are_told_apart() -> None:
    call = shell.call("cd /srv && cd app; KEY=1 python3.11 -u x.py -v >> log.txt 2>&1", KNOWN)
    assert (call.folder, call.variables, call.redirections) == (
        "/srv/app",
        {"KEY": "1"},
        [">> log.txt", "2>&1"],
    )
    assert shell.python_file(call.words) == PythonFile(
        path="x.py", arguments=["-v"], version="3.11", flags=["-u"]
    )


@each_row(
    "command",
    [
        "python -m http.server",
        "python -c 'print(1)'",
        "python",
        "python -",
        "perl x.pl",
        "pythonic x.py",
    ],
)
def test_other_programs_and_calls_without_a_file_are_no_python_file(command: str) -> None:
    assert file_of(command) is None


@each_row(
    "command",
    [
        "python x.py | logger",
        "python x.py || echo failed",
        "python x.py && curl https://example.org",
        "python x.py &",
        "python x.py *.csv",
        "python x.py $(date)",
        "python x.py `date`",
        'python x.py "$(date)"',
        "python x.py $UNKNOWN",
        "python x.py $TWO",
        "python x.py ~bob/x",
        "python x.py 'open",
        "python x.py << EOF",
        "(cd /srv; python x.py)",
        "if true; then python x.py; fi",
        "[ -x /a ] && python x.py",
        "! true",
        "export A=1; python x.py",
        "cd /srv",
        "cd - && python x.py",
        "A=1",
        "> /tmp/x",
        "",
        ";",
        "python x.py\rrm",
    ],
)
def test_what_only_a_shell_can_do_is_left_to_it(command: str) -> None:
    with pytest.raises(UnsupportedShellSyntax):
        shell.call(command, KNOWN)


@each_row(
    "piece", ["a", "\\a", "'a'", '"', '"a" ', "9", "> a ", "&& ", "$DATA", '"$DATA"', "A=1 ", "~"]
)
def test_the_longest_command_of_anything_is_read_in_no_time(piece: str) -> None:
    began = time.process_time()
    with suppress(UnsupportedShellSyntax):
        shell.call(f"python x.py {piece * ((shell.MAX_LENGTH - 12) // len(piece))}", KNOWN)
    assert time.process_time() - began < 1


def test_a_longer_one_is_not_read_at_all() -> None:
    with pytest.raises(UnsupportedShellSyntax, match="20,000"):
        shell.call(f"python x.py {'a' * shell.MAX_LENGTH}", KNOWN)
