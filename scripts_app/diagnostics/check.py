"""All problems of a script's text: Python, requirements, block, secrets, encoding, syntax, packages, rules of ruff."""

import functools
import logging
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace

from scripts_app.diagnostics import encoding, leaked_secrets, missing_packages, ruff, syntax
from scripts_app.diagnostics.missing_packages import KnownModules
from scripts_app.diagnostics.models import Problem, Severity
from scripts_app.inputs import declarations
from scripts_app.packages import inline_metadata, interpreters
from scripts_app.packages import requirements as packages_requirements
from scripts_app.packages.interpreters import Interpreter
from scripts_app.validation import ScriptError

logger = logging.getLogger(__name__)

MAX_PROBLEMS = 200
MAX_LINE = syntax.MAX_LINE
MAX_MESSAGE = ruff.MAX_MESSAGE
OLDEST, NEWEST = 8, 14  # minor releases of Python 3 for scripts
SYNTAX = ruff.SYNTAX
UNREADABLE = "The text is saved all the same, but it is not run until Python can read it."
_RANKS = {Severity.ERROR: 0, Severity.SECURITY: 1, Severity.WARNING: 2}


def find_problems(
    *,
    code: str,
    requirements: str,
    python_version: str,
    known: KnownModules | None = None,
) -> list[Problem]:
    """Return at most 200 problems by field and line, the least severe left out. May start processes; never fails.

    What a script's files and environment bring is `known`; without it only well-known packages count as missing.
    """
    problems: list[Problem] = []
    interpreter: Interpreter | None = None
    try:
        interpreter = interpreters.choose(python_version)
    except interpreters.InterpreterMissing as refusal:
        problems.append(_line_problem("python_version", 1, "", "python", str(refusal)))
    problems.extend(_requirement_problems(requirements))
    problems.extend(_code_problems(code, interpreter, target_minor(python_version)))
    if interpreter is not None:
        problems.extend(_missing_packages(code, requirements, interpreter, known or KnownModules()))
    problems.extend(_block_problems(code))
    problems.sort(key=lambda problem: _RANKS[problem.severity])
    most_severe = problems[:MAX_PROBLEMS]
    return sorted(most_severe, key=_position)


def _position(problem: Problem) -> tuple[bool, int, int]:
    return problem.field == "code", problem.line, problem.column


def problems_to_confirm(problems: list[Problem]) -> list[Problem]:
    """Return the problems of the code that a person confirms before a run; none if Python cannot read the code."""
    if any(problem.code == SYNTAX for problem in problems):
        return []
    return [
        problem
        for problem in problems
        if problem.field == "code" and problem.severity != Severity.WARNING
    ]


def _requirement_problems(text: str) -> Iterator[Problem]:
    try:
        packages_requirements.normalise(text)
    except ScriptError as refusal:
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")  # as they are counted
        refused = list(packages_requirements.refused_lines(text)) or [(1, str(refusal))]
        for line_number, reason in refused:
            number = min(line_number, len(lines))
            yield _line_problem("requirements", number, lines[number - 1], "requirement", reason)


def _block_problems(code: str) -> Iterator[Problem]:
    lines = code.split("\n")
    for line_number, reason in declarations.problems(code):
        number = min(line_number, len(lines))
        yield _line_problem("code", number, lines[number - 1], "block", reason)
    for line_number, note in inline_metadata.read(code).notes:
        number = min(line_number, len(lines))
        problem = _line_problem("code", number, lines[number - 1], "block", note)
        yield replace(problem, severity=Severity.WARNING)


def _code_problems(code: str, interpreter: Interpreter | None, minor: int) -> Iterator[Problem]:
    if not code.strip():
        return
    if len(code) > MAX_LINE:
        yield _unchecked(f"This text is not checked: it has more than {MAX_LINE:,} characters.")
        return
    secrets = list(leaked_secrets.find_secrets(code))
    yield from secrets
    wrong_encoding = encoding.problem(code)
    if wrong_encoding:
        yield wrong_encoding
    syntax_problems: list[Problem] = []
    if interpreter is not None:
        syntax_problems.extend(_syntax_problems(code, interpreter))
    yield from syntax_problems
    secret_lines = {secret.line for secret in secrets}
    for problem in _rule_problems(code, minor, with_syntax=interpreter is None):
        if problem.code in ruff.PASSWORDS and problem.line in secret_lines:
            continue  # reported above
        if not problem.code and syntax_problems:
            continue  # ruff has failed, but only because the code is no Python
        yield problem


def _syntax_problems(code: str, interpreter: Interpreter) -> Iterator[Problem]:
    try:
        fault = syntax.fault(code, interpreter)
    except syntax.Unknown as reason:
        yield _unchecked(f"The syntax of this text is not checked: {reason}.")
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


def _missing_packages(
    code: str, requirements: str, interpreter: Interpreter, known: KnownModules
) -> Iterator[Problem]:
    try:
        imports = syntax.look(code, interpreter).imports
    except syntax.Unknown:
        return  # told with the syntax
    yield from missing_packages.find_problems(
        imports, code=code, requirements=requirements, known=known
    )


def _rule_problems(code: str, minor: int, *, with_syntax: bool) -> tuple[Problem, ...]:
    try:
        return _cached_ruff_problems(code, minor, with_syntax)
    except (OSError, subprocess.SubprocessError, ValueError, LookupError, TypeError) as error:
        logger.warning("problems not found: ruff: %s", error)
        return (_unchecked("This text could not be checked: the checker failed on it."),)


@functools.lru_cache(maxsize=16)
def _cached_ruff_problems(code: str, minor: int, with_syntax: bool) -> tuple[Problem, ...]:
    return ruff.find_problems(code, minor, with_syntax=with_syntax)


def _unchecked(message: str) -> Problem:
    return replace(_line_problem("code", 1, "", "", message), severity=Severity.WARNING)


def _line_problem(field: str, number: int, line: str, code: str, message: str) -> Problem:
    return Problem(
        field=field,
        line=number,
        column=1,
        end_line=number,
        end_column=max(len(line), 1) + 1,
        code=code,
        message=message[:MAX_MESSAGE],
        severity=Severity.ERROR,
    )


def target_minor(python_version: str) -> int:
    """Return the 12 of `3.12.1`, within the releases that ruff and scripts know."""
    match = re.match(r"3\.(\d{1,2})", python_version or interpreters.own().version)
    if match is None:
        return NEWEST
    return min(max(int(match[1]), OLDEST), NEWEST)
