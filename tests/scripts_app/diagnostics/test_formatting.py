"""The usual form of a code: it does the same, and a text that cannot be read stays as it is."""

import subprocess

import pytest

from scripts_app.diagnostics import check, formatting, ruff
from scripts_app.validation import ScriptError


def test_code_gets_its_usual_form() -> None:
    assert formatting.format_code("x=[1,\n  2]\nprint( x )") == "x = [1, 2]\nprint(x)\n"


def test_it_is_the_form_for_the_python_of_the_script() -> None:
    code = "with (open('a') as a, open('b') as b):\n    pass\n"
    assert "with open" in formatting.format_code(code, python_version="3.13")


@pytest.mark.parametrize(
    ("code", "words"),
    [("print(\n", "Python cannot read this text"), ("x" * (check.MAX_LINE + 1), "more than")],
)
def test_what_cannot_be_formatted_is_refused_with_why(code: str, words: str) -> None:
    with pytest.raises(ScriptError, match=words):
        formatting.format_code(code)


@pytest.mark.parametrize("error", [OSError("gone"), TimeoutError(), subprocess.SubprocessError()])
def test_a_formatter_that_fails_is_told(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: object) -> str:
        raise error

    monkeypatch.setattr(ruff, "format_code", fail)
    with pytest.raises(ScriptError, match="the formatter failed"):
        formatting.format_code("x = 1\n")
