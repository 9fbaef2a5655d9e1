"""Syntax as the script's own Python sees it: asked for, never run, and never a failure."""

import logging
from pathlib import Path
from unittest import mock

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts_app import scripts
from scripts_app.diagnostics import limited_subprocess, syntax
from scripts_app.models import Version
from scripts_app.packages import interpreters
from scripts_app.packages.interpreters import Interpreter
from scripts_app.versions import versions
from tests.factories import make_script
from tests.rows import each_row

OWN = interpreters.own()
THERE = {".".join(each.version.split(".")[:2]): each for each in reversed(interpreters.discover())}


@pytest.fixture(autouse=True)
def fresh() -> None:
    syntax._compile.cache_clear()


def stand_in(folder: Path, text: str) -> Interpreter:
    """A program to be asked instead of Python."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return Interpreter(version="3.11.7", path=path)


@each_row(
    "code",
    [
        "",
        " \n\t",
        "print('hello')\n",
        "\ufeffprint(1)\n",
        "print(1)\f\n",
        "# -*- coding: latin-1 -*-\nx = 'é'\n",
        "# coding: utf-8\nx = 'é'\n",
        "x = '" + "é" * 300_000 + "'\n",
        "x = 1\n" * 100_000,
    ],
)
def test_what_python_can_read_has_no_fault(code: str) -> None:
    assert syntax.fault(code, OWN) is None


@each_row(
    ("code", "line", "words"),
    [
        ("x = 1\ndef f(:\n", 2, "invalid syntax"),
        ("return 1\n", 1, "'return' outside function"),
        ("def f():\n    await x\n", 2, "'await' outside async function"),
        ("def f():\n    x = 1\n    global x\n", 3, "assigned to before global declaration"),
        ("x = 1\nfrom __future__ import annotations\n", 2, "from __future__ imports must occur"),
        ("x = 1\n\0", 2, "a NUL character"),
        ("x = '\ud800'\n", 1, "half a surrogate pair"),
        ("# coding: nonsense\n", 1, "unknown encoding"),
        ("\ufeff# coding: latin-1\n", 1, "encoding problem"),
        ("(" * 5000, 1, "too many nested parentheses"),
        ("x = " + "-" * 50_000 + "1", 1, "nested too deeply"),
        ("x = a" + ".b" * 50_000, 1, "nested too deeply"),
        ("x = " + "9" * 5000, 1, "Exceeds the limit"),
    ],
)
def test_what_python_cannot_read_is_told_in_its_words(code: str, line: int, words: str) -> None:
    fault = syntax.fault(code, OWN)
    assert fault
    assert (fault.line, words in fault.message) == (line, True), fault


@pytest.mark.parametrize(
    ("code", "since"),
    [
        ("match 1:\n    case _: pass\n", 10),
        ("try: pass\nexcept* ValueError: pass\n", 11),
        ("type X = int\n", 12),
        ("class A[T = int]: pass\n", 13),
        ("x = 1\nprint(f'{f'{x}'}')\n", 12),
    ],
)
def test_it_is_the_syntax_of_the_script_s_python(code: str, since: int) -> None:
    found = {minor: syntax.fault(code, each) is None for minor, each in THERE.items()}
    assert found == {minor: int(minor[2:]) >= since for minor in THERE}


def test_columns_count_characters() -> None:
    fault = syntax.fault("print('é', 'é', 1 2)\n", OWN)
    assert fault
    assert (fault.column, fault.end_column) == (17, 20)


def test_nothing_is_executed(tmp_path: Path) -> None:
    made = tmp_path / "made"
    assert syntax.fault(f"open({str(made)!r}, 'w')\nraise SystemExit(1)\n", OWN) is None
    assert not made.exists()


def test_the_same_text_is_looked_at_once() -> None:
    for _ in range(3):
        syntax.fault("x = (\n", OWN)
    assert syntax._compile.cache_info().misses == 1


def test_many_texts_are_looked_at_by_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = [
        "x = (\n",
        *(f"print('é', {number})\n" for number in range(50)),
        "",
        "y = 1 2\n",
        "x = (\n",
    ]
    run = mock.Mock(wraps=limited_subprocess.run)
    monkeypatch.setattr(limited_subprocess, "run", run)
    errors = syntax.errors_of(codes, OWN)
    assert run.call_count == 1
    assert errors == [syntax.error_of(code, OWN) for code in codes]
    assert [bool(error) for error in errors] == [True, *[False] * 51, True, True]


def test_a_text_at_which_python_breaks_is_no_fault_of_the_others(tmp_path: Path) -> None:
    """It breaks when it is asked about several, and at one of them."""
    there = f'case "$*" in *" 9") kill -SEGV $$;; esac; exec {OWN.path} "$@"'
    codes = ["x = (\n", "print(1)\n"]
    errors = syntax.errors_of(codes, stand_in(tmp_path, there))
    assert errors[0].startswith("line 1: '(' was never closed") and "crashes" in errors[1]


def test_a_text_longer_than_any_version_is_not_looked_at() -> None:
    with pytest.raises(syntax.Unknown, match="more than"):
        syntax.fault("x" * 10_000_000, OWN)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_any_text_gets_an_answer_within_it(code: str) -> None:
    fault = syntax.fault(code, OWN)
    lines = code.split("\n")
    assert fault is None or (
        1 <= fault.line <= len(lines) and 1 <= fault.column <= len(lines[fault.line - 1]) + 1
    )


@pytest.mark.parametrize(
    "text", ["exit 2", "echo nonsense", "echo '(1, 2)'", "echo '['", "exec sleep 60", "kill $$"]
)
def test_a_python_that_breaks_or_hangs_is_nobody_s_fault_and_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    monkeypatch.setattr(syntax, "TIMEOUT_S", 0.5)
    with caplog.at_level(logging.WARNING), pytest.raises(syntax.Unknown):
        syntax.fault("print(1)\n", stand_in(tmp_path, text))
    assert "syntax not looked at" in caplog.text
    assert syntax.fault("print(1)\n", OWN) is None


def test_a_python_that_crashes_on_a_text_would_do_so_at_a_run(tmp_path: Path) -> None:
    fault = syntax.fault("print(1)\n", stand_in(tmp_path, "kill -SEGV $$"))
    assert fault and "crashes" in fault.message


@pytest.mark.django_db
class TestVersions:
    """What a version keeps of it."""

    def test_a_version_is_saved_with_its_fault(self) -> None:
        script = make_script(code="x = 1\ny = (\n")
        assert script.version and script.version.syntax_error.startswith("line 2: ")

    def test_a_correction_has_none(self) -> None:
        script = make_script(code="y = (\n")
        scripts.update(script, by=None, now=timezone.now(), code="y = ()\n")
        assert script.version and (script.version.number, script.version.syntax_error) == (2, "")

    def test_saving_the_same_text_asks_its_python_again(
        self, django_user_model: type[User]
    ) -> None:
        script = make_script()
        Version.objects.filter(script=script).update(syntax_error="line 1: of a Python before")
        content = versions.check(code="print('hello')\n", requirements="", python_version="")
        version = versions.save(script, content, author=None, now=timezone.now())
        assert (version.number, Version.objects.get(script=script).syntax_error) == (1, "")

    def test_when_nobody_knows_nothing_is_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(syntax, "TIMEOUT_S", 0)
        assert syntax.error_of("x = (\n", interpreters.own()) == ""
