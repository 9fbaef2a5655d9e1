"""Problems of a text: found without running it, and never a failure."""

import logging
import os
from pathlib import Path

import pytest

from scripts_app import problems
from scripts_app.problems import Problem


@pytest.fixture(autouse=True)
def fresh() -> None:
    problems._ask_ruff.cache_clear()


def find(code: str = "", requirements: str = "", python_version: str = "") -> list[Problem]:
    return problems.find(code=code, requirements=requirements, python_version=python_version)


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
            severity="warning",
        )
    ]


@pytest.mark.parametrize("code", ["def f(:\n", "print(nothing_there)\n", "return 1\n", "\0", "'" + "é" * 20])
def test_what_would_end_a_run_is_an_error(code: str) -> None:
    assert "error" in {problem.severity for problem in find(code)}


@pytest.mark.parametrize("code", ["", " \n", "print('hello')\n", "\ufeffprint(1)\r\n", "print(1)\f\n"])
def test_a_sound_text_has_none(code: str) -> None:
    assert find(code) == []


def test_syntax_is_that_of_the_scripts_python() -> None:
    code = "match 1:\n    case _: pass\n"
    assert find(code) == []
    assert find(code, python_version="3.8.1")[-1].severity == "error"


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
    assert [(problem.field, problem.line) for problem in find(python_version="3.99")] == [("python_version", 1)]


@pytest.mark.parametrize(
    "code",
    [
        "(" * 5000,
        "x" * 1_000_000,
        "a\n" * 90_000,
        "[" * 60_000 + "]" * 60_000,
        "\n".join(f"x{n}" for n in range(20_000)),
        "\x00\x01\ud800",
        "-" * 50_000,
    ],
)
def test_it_survives_whatever_it_is_given(code: str) -> None:
    found = find(code)
    assert 1 <= len(found) <= problems.MOST
    assert all(len(problem.message) <= problems.LONGEST for problem in found)


def test_the_same_text_is_looked_at_once() -> None:
    for _ in range(3):
        find("import os\n")
    assert problems._ask_ruff.cache_info().misses == 1


def test_without_ruff_it_says_that_nothing_was_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(problems, "RUFF", tmp_path / "missing")
    with caplog.at_level(logging.WARNING):
        (problem,) = find("import os\n")
    assert (problem.severity, problem.message[:30]) == ("warning", "This text could not be checked")
    assert "problems not found" in caplog.text


@pytest.mark.parametrize("text", ["exit 2", "echo nonsense", "echo '[{}]'", "echo '{\"a\": 1}'", "sleep 60", "yes"])
def test_a_ruff_that_breaks_or_hangs_is_no_failure_and_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(problems, "RUFF", stand_in(tmp_path, f"{'exec ' if text.startswith('sleep') else ''}{text}"))
    monkeypatch.setattr(problems, "PATIENCE_S", 0.5)
    assert [problem.message for problem in find("import os\n")] == [
        "This text could not be checked: the checker failed on it."
    ]
    monkeypatch.undo()
    assert len(find("import os\n")) == 1


def test_settings_of_the_machine_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ruff.toml").write_text('[lint]\nignore = ["F401"]\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(os.environ, "RUFF_CONFIG", str(tmp_path / "ruff.toml"))
    assert len(find("import os\n")) == 1
