"""Problems of a text: found without running it, and never a failure."""

import logging
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts_app.diagnostics import check, ruff, syntax
from scripts_app.diagnostics.models import Fix, Problem, Severity, TextEdit
from tests.rows import each_row


@pytest.fixture(autouse=True)
def fresh() -> None:
    check._cached_ruff_problems.cache_clear()


def find(code: str = "", requirements: str = "", python_version: str = "") -> list[Problem]:
    return check.find_problems(code=code, requirements=requirements, python_version=python_version)


def stand_in(folder: Path, text: str) -> Path:
    """A program to be called instead of ruff."""
    path = folder / "ruff"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return path


def test_an_unused_import_is_advice_with_its_place() -> None:
    assert find("import os\n") == [
        Problem(
            field="code",
            line=1,
            column=8,
            end_line=1,
            end_column=10,
            code="F401",
            message="`os` imported but unused",
            why="It is loaded at every run and does nothing.",
            severity=Severity.WARNING,
            fix=Fix(
                message="Remove unused import: `os`",
                edits=(TextEdit(line=1, column=1, end_line=2, end_column=1, content=""),),
            ),
        )
    ]


@pytest.mark.parametrize(
    "code", ["def f(:\n", "print(nothing_there)\n", "return 1\n", "\0", "'" + "é" * 20]
)
def test_what_would_end_a_run_is_an_error(code: str) -> None:
    assert "error" in {problem.severity for problem in find(code)}


@each_row("code", ["", " \n", "print('hello')\n", "\ufeffprint(1)\r\n", "print(1)\f\n"])
def test_a_sound_text_has_none(code: str) -> None:
    assert find(code) == []


def test_syntax_is_that_of_the_scripts_python() -> None:
    code = "match 1:\n    case _: pass\n"
    assert find(code) == []
    assert [(one.code, one.severity) for one in find(code, python_version="3.8")] == [
        ("syntax", "error")
    ]


def test_without_its_python_the_syntax_is_ruff_s() -> None:
    found = find("match 1:\n    case _: pass\n", python_version="3.8.1")
    assert [(one.field, one.code) for one in found] == [
        ("python_version", "python"),
        ("code", "syntax"),
    ]


def test_only_python_s_word_counts_where_there_are_two() -> None:
    (problem,) = find("def f():\n    return (\n")
    assert (problem.line, problem.message.partition(": ")[2]) == (2, "'(' was never closed")
    assert "not run until Python can read it" in problem.why


DOORS = """
import os, pickle, subprocess, yaml, requests, tarfile
def job(text, url, path):
    eval(text)
    exec(text)
    subprocess.run("rm " + text, shell=True)
    os.system("rm " + text)
    pickle.load(open(path, "rb"))
    yaml.load(text)
    requests.get(url, timeout=3, verify=False)
    tarfile.open(path).extractall()
    os.chmod(path, 0o777)
    requests.get(url)
    subprocess.run("ls | wc -l", shell=True)
    assert text
    subprocess.run(["ls", text])
    with open("/tmp/x") as lines: return lines
    try: pass
    except ValueError: pass
"""


def test_doors_are_pointed_out_with_their_place_and_a_reason() -> None:
    found = [(one.line - 3, one.code) for one in find(DOORS) if one.severity == "security"]
    assert found == [
        *[
            (1, "S307"),
            (2, "S102"),
            (3, "S602"),
            (4, "S605"),
            (5, "S301"),
            (6, "S506"),
            (7, "S501"),
            (8, "S202"),
        ],
        (9, "S103"),
    ]
    assert all(one.why for one in find(DOORS))


def test_what_harms_nobody_is_advice_and_no_question() -> None:
    found = find(DOORS, requirements="pyyaml\nrequests")
    assert [(one.line - 3, one.code) for one in found if one.severity == "warning"] == [
        (10, "S113"),
        (11, "S602"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "password = 'hunter2'",
        "connect(password='hunter2')",
        "def f(password='hunter2'): pass",
        "x['token'] = 'hunter2'",
    ],
)
def test_a_password_in_the_code_is_pointed_out_but_not_repeated(line: str) -> None:
    (problem,) = [one for one in find(f"{line}\n") if one.severity == "security"]
    assert "hunter2" not in f"{problem.message}{problem.why}{problem.fix}"


@pytest.mark.parametrize(
    "line",
    [
        "token_url = 'https://example.org/token'",
        "password = ''",
        "password_field = 'password'",
        "token = '<your token>'",
        "SECRET_FILE = '/run/secrets/key'",
        "password = 'changeme'",
        "token_type = 'Bearer'",
        "secret = 'xxxxxxxx'",
    ],
)
def test_what_stands_in_a_password_s_place_is_not_always_one(line: str) -> None:
    assert find(f"{line}\n") == []


def test_a_line_that_says_so_is_left_alone() -> None:
    assert find("eval(input())  # noqa: S307\n") == []


@pytest.mark.parametrize(
    ("code", "after"),
    [
        ("import os\nprint(1)\n", "print(1)\n"),
        ("x = '𝒳é'; print(f'a')\n", "x = '𝒳é'; print('a')\n"),
        ("x = 1\nprint(x is 'a')\n", "x = 1\nprint(x == 'a')\n"),
        ("x = '\\d'\n", "x = r'\\d'\n"),
        ("# coding: latin-1\nx = 'é'\n", "# coding: utf-8\nx = 'é'\n"),
    ],
)
def test_a_fix_leaves_a_text_without_problems(code: str, after: str) -> None:
    (problem,) = find(code)
    assert problem.fix
    assert (applied(code, problem.fix), find(after)) == (after, [])


def applied(code: str, fix: Fix) -> str:
    """The code after the edits, as the editor makes them: from the last one on."""
    starts = [0]
    for line in code.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    for edit in sorted(fix.edits, key=lambda edit: (edit.line, edit.column), reverse=True):
        start, end = (
            starts[edit.line - 1] + edit.column - 1,
            starts[edit.end_line - 1] + edit.end_column - 1,
        )
        code = code[:start] + edit.content + code[end:]
    return code


@pytest.mark.parametrize(
    ("cookie", "severity"),
    [
        ("latin-1", "warning"),
        ("cp1252", "warning"),
        ("utf-7", "security"),
        ("punycode", "security"),
    ],
)
def test_a_line_that_makes_python_read_another_text_is_pointed_out(
    cookie: str, severity: str
) -> None:
    found = find(f"#!/usr/bin/python\n# -*- coding: {cookie} -*-\nx = 'é'\n")
    assert [(one.line, one.severity) for one in found if one.code == "coding"] == [(2, severity)]


@pytest.mark.parametrize(
    "code",
    [
        "# coding: latin-1\nx = 'e'\n",
        "# vim: set fileencoding=utf-8 :\n",
        "x = 1\n\n# coding: cp1252\ny = 'é'\n",
    ],
)
def test_a_line_that_changes_nothing_is_left_alone(code: str) -> None:
    assert find(code) == []


def test_every_refused_line_is_named_with_its_number() -> None:
    found = find(requirements="humanize\n# why\n-r other.txt\n\nrequests>>2\n")
    assert [(problem.field, problem.line, problem.severity) for problem in found] == [
        ("requirements", 3, "error"),
        ("requirements", 5, "error"),
    ]
    assert "list the packages themselves" in found[0].message


@pytest.mark.parametrize("requirements", ["x\n" * 501, "#" * 200_000])
def test_too_many_requirements_are_one_problem(requirements: str) -> None:
    assert [problem.line for problem in find(requirements=requirements)] == [1]


def test_a_python_that_is_not_there_is_a_problem() -> None:
    assert [(problem.field, problem.line) for problem in find(python_version="3.99")] == [
        ("python_version", 1)
    ]


HOSTILE = [
    "(" * 5000,
    "x" * 1_000_000,
    "a\n" * 90_000,
    "[" * 60_000 + "]" * 60_000,
    "\n".join(f"x{n}" for n in range(20_000)),
    "\x00\x01\ud800",
    "-" * 50_000,
    "".join(" " * depth + "if a:\n" for depth in range(600)),
    "x = a" + ".b" * 50_000,
    "x = '" + "{" * 100_000,
    "import " + ", ".join(f"a{n}" for n in range(3000)),
    "token='a1b2c3d4e5f6g7h8i9';" * 20_000,
    "eyJ-" * 100_000,
    "# coding: utf-7\n+AG8-s.system('x')",
    "\r\x0c\x0b\x85\u2028x",
    "x" * 10_000_000,
]


@pytest.mark.parametrize("code", HOSTILE, ids=range(len(HOSTILE)))
def test_it_survives_whatever_it_is_given(code: str) -> None:
    found = find(code)
    assert 1 <= len(found) <= check.MAX_PROBLEMS
    assert all(len(problem.message) <= check.MAX_MESSAGE for problem in found)


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=100), st.text(max_size=40), st.text(max_size=10))
def test_any_text_gets_an_answer(code: str, requirements: str, python_version: str) -> None:
    for problem in find(code, requirements, python_version):
        assert (problem.end_line, problem.end_column) >= (problem.line, problem.column) >= (1, 1)


def test_the_same_text_is_looked_at_once() -> None:
    for _ in range(3):
        find("import os\n")
    assert check._cached_ruff_problems.cache_info().misses == 1


def test_where_there_are_too_many_the_worst_are_told() -> None:
    code = "\n".join(f"import a{n}" for n in range(check.MAX_PROBLEMS)) + "\neval(input())\nb\n"
    found = find(code)
    assert (len(found), [one.code for one in found[-2:]]) == (check.MAX_PROBLEMS, ["S307", "F821"])


def test_the_doubtful_ones_are_those_that_may_end_a_run_or_harm() -> None:
    found = find("import os\neval(input())\nb\n", python_version="3.99")
    assert [one.code for one in check.problems_to_confirm(found)] == ["S307", "F821"]


def test_without_ruff_it_says_that_nothing_was_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ruff, "RUFF", tmp_path / "missing")
    with caplog.at_level(logging.WARNING):
        (problem,) = find("import os\n")
    assert (problem.severity, problem.message[:30]) == ("warning", "This text could not be checked")
    assert "problems not found" in caplog.text


@pytest.mark.parametrize(
    "text", ["exit 2", "echo nonsense", "echo '[{}]'", "echo '{\"a\": 1}'", "sleep 60", "yes"]
)
def test_a_ruff_that_breaks_or_hangs_is_no_failure_and_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(
        ruff, "RUFF", stand_in(tmp_path, f"{'exec ' if text.startswith('sleep') else ''}{text}")
    )
    monkeypatch.setattr(ruff, "TIMEOUT_S", 0.5)
    assert [problem.message for problem in find("import os\n")] == [
        "This text could not be checked: the checker failed on it."
    ]
    monkeypatch.undo()
    assert len(find("import os\n")) == 1


def test_a_python_that_cannot_be_asked_keeps_no_rule_from_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(syntax, "TIMEOUT_S", 0.0)
    syntax._compile.cache_clear()
    assert [one.message[:36] for one in find("import os\n")] == [
        "The syntax of this text is not check",
        "`os` imported but unused",
    ]


def test_settings_of_the_machine_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ruff.toml").write_text('[lint]\nignore = ["F401"]\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(os.environ, "RUFF_CONFIG", str(tmp_path / "ruff.toml"))
    assert len(find("import os\n")) == 1


def test_a_lone_carriage_return_ends_a_line_as_in_the_requirements_themselves() -> None:
    (problem,) = find("", "humanize\r\x1b", "")
    assert (problem.line, problem.field) == (2, "requirements")
