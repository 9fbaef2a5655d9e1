"""Problems of a script's text, found without running it: syntax, names, doors left open, secrets, requirements."""

import functools
import logging
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from scripts_app.diagnostics import leaked_secrets, ruff, syntax
from scripts_app.diagnostics.models import Fix, Severity, TextEdit
from scripts_app.diagnostics.models import Problem as Problem  # doors say `problems.Problem`
from scripts_app.inputs import declarations
from scripts_app.packages import interpreters
from scripts_app.packages import requirements as packages_requirements
from scripts_app.packages.interpreters import Interpreter
from scripts_app.validation import ScriptError

logger = logging.getLogger(__name__)

MAX_PROBLEMS = 200
MAX_LINE = syntax.MAX_LINE
MAX_MESSAGE = ruff.MAX_MESSAGE
OLDEST, NEWEST = 8, 14  # the Pythons 3 that scripts may have
SYNTAX = ruff.SYNTAX
UNREADABLE = "The text is saved all the same, but it is not run until Python can read it."
_RANKS = {Severity.ERROR: 0, Severity.SECURITY: 1, Severity.WARNING: 2}
_COOKIE = re.compile(r"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", re.ASCII)
_NO_CODE = re.compile(r"[ \t\f]*(#.*)?")
_UTF_8 = re.compile(r"utf[-_]?8([-_](sig|unix|dos|mac))?", re.IGNORECASE)
_ASCII_AND_MORE = re.compile(
    r"(us[-_]?)?ascii|latin[-_]?\d+|iso[-_]8859[-_]\d+|(windows|cp)[-_]?\d+", re.IGNORECASE
)


def find_problems(*, code: str, requirements: str, python_version: str) -> list[Problem]:
    """Return what is wrong with a text, at most 200 problems. It may start processes; it never fails.

    Those of the code come in the order of its lines; where there are too many, mere warnings are left out first.
    """
    interpreter, refusal = _interpreter(python_version)
    fields = chain(_of_python(refusal), _of_requirements(requirements))
    texts = chain(_of_code(code, interpreter, _minor(python_version)), _of_block(code))
    found = sorted(chain(fields, texts), key=lambda problem: _RANKS[problem.severity])[
        :MAX_PROBLEMS
    ]
    return sorted(
        found, key=lambda problem: (problem.field == "code", problem.line, problem.column)
    )


def doubtful(found: list[Problem]) -> list[Problem]:
    """Those of the code that whoever presses Run is asked about, as they may end the run or harm.

    None where Python cannot even read it: that is refused, not asked.
    """
    if any(one.code == SYNTAX for one in found):
        return []
    return [one for one in found if one.field == "code" and one.severity != Severity.WARNING]


def _interpreter(python_version: str) -> tuple[Interpreter | None, str]:
    """The Python of the text; without one, why there is none. Asked once: it looks through folders."""
    try:
        return interpreters.choose(python_version), ""
    except interpreters.InterpreterMissing as refusal:
        return None, str(refusal)


def _of_python(refusal: str) -> Iterator[Problem]:
    if refusal:
        yield _whole_line("python_version", 1, "", "python", refusal)


def _of_requirements(text: str) -> Iterator[Problem]:
    try:
        packages_requirements.normalise(text)
    except ScriptError as refusal:
        lines = text.split("\n")
        refused = list(packages_requirements.refused_lines(text)) or [(1, str(refusal))]
        yield from (
            _whole_line("requirements", at, lines[at - 1], "requirement", why)
            for at, why in refused
        )


def _of_block(code: str) -> Iterator[Problem]:
    """What is wrong in the PEP 723 block, and in the parameters that it declares."""
    lines = code.split("\n")
    for number, why in declarations.problems(code):
        at = min(number, len(lines))
        yield _whole_line("code", at, lines[at - 1], "block", why)


def _of_code(code: str, interpreter: Interpreter | None, minor: int) -> Iterator[Problem]:
    """What Python, ruff and the search for secrets say.

    When one of them cannot be asked, that is said: a text that nobody looked at is not free of problems.
    """
    if not code.strip():
        return
    if len(code) > MAX_LINE:
        yield _unchecked(f"This text is not checked: it has more than {MAX_LINE:,} characters.")
        return
    secrets = tuple(leaked_secrets.find_secrets(code))
    yield from secrets
    yield from _of_encoding(code)
    faults = list(_of_syntax(code, interpreter)) if interpreter else []
    yield from faults
    for one in _of_rules(code, minor, with_syntax=interpreter is None):
        is_said = one.code in ruff.PASSWORDS and any(secret.line == one.line for secret in secrets)
        # that ruff fails on what is no Python is no news
        if not is_said and (one.code or not faults):
            yield one


def _of_syntax(code: str, interpreter: Interpreter) -> Iterator[Problem]:
    try:
        fault = syntax.fault(code, interpreter)
    except syntax.Unknown as why:
        yield _unchecked(f"The syntax of this text is not checked: {why}.")
        return
    if fault:
        yield Problem(
            line=fault.line,
            column=fault.column,
            end_line=fault.end_line,
            end_column=fault.end_column,
            code=SYNTAX,
            message=f"Python {interpreter.version}: {fault.message}",
            why=UNREADABLE,
            severity=Severity.ERROR,
        )


def _of_rules(code: str, minor: int, *, with_syntax: bool) -> tuple[Problem, ...]:
    try:
        return _ask_ruff(code, minor, with_syntax)
    except (OSError, subprocess.SubprocessError, ValueError, LookupError, TypeError) as error:
        logger.warning("problems not found: ruff: %s", error)
        return (_unchecked("This text could not be checked: the checker failed on it."),)


@functools.lru_cache(maxsize=16)
def _ask_ruff(code: str, minor: int, with_syntax: bool) -> tuple[Problem, ...]:
    return ruff.find_problems(code, minor, with_syntax=with_syntax)


def _of_encoding(code: str) -> Iterator[Problem]:
    """A line that makes Python read another text than the one that is shown here, which is stored as UTF-8."""
    for number, line in enumerate(code.split("\n", 2)[:2], 1):
        if named := _COOKIE.match(line):
            if not _UTF_8.fullmatch(named[1]) and not (
                _ASCII_AND_MORE.fullmatch(named[1]) and code.isascii()
            ):
                yield _of_cookie(number, named)
            return
        if not _NO_CODE.fullmatch(line):
            return


def _of_cookie(number: int, named: re.Match[str]) -> Problem:
    edit = TextEdit(
        line=number,
        column=named.start(1) + 1,
        end_line=number,
        end_column=named.end(1) + 1,
        content="utf-8",
    )
    is_charset = _ASCII_AND_MORE.fullmatch(named[1]) is not None
    return Problem(
        line=edit.line,
        column=edit.column,
        end_line=edit.end_line,
        end_column=edit.end_column,
        code="coding",
        message=f"`{named[1][:40]}` is not how this text is stored: that is UTF-8",
        why="Python reads other characters than the ones shown here.",
        severity=Severity.WARNING if is_charset else Severity.SECURITY,
        fix=Fix(message="Say `utf-8`", edits=(edit,)),
    )


def _unchecked(message: str) -> Problem:
    return replace(_whole_line("code", 1, "", "", message), severity=Severity.WARNING)


def _whole_line(field: str, number: int, line: str, code: str, message: str) -> Problem:
    end = max(len(line), 1) + 1
    return Problem(
        field=field,
        line=number,
        column=1,
        end_line=number,
        end_column=end,
        code=code,
        message=message[:MAX_MESSAGE],
        severity=Severity.ERROR,
    )


def _minor(python_version: str) -> int:
    """The 12 of `3.12.1`, or of Tempo's own Python, within what ruff and scripts know."""
    wanted = re.match(r"3\.(\d{1,2})", python_version or interpreters.own().version)
    return min(max(int(wanted[1]) if wanted else NEWEST, OLDEST), NEWEST)
