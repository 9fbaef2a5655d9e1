"""Problems of a script's text, found without running it: syntax, names, requirement lines that are refused."""

import functools
import json
import logging
import re
import subprocess
import sysconfig
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

from scripts_app import interpreters, requirements_text
from scripts_app.validation import ScriptError

logger = logging.getLogger(__name__)

RUFF = Path(sysconfig.get_path("scripts")) / "ruff"
RULES = "E9,F"  # syntax errors, then what pyflakes knows: undefined and unused names
PATIENCE_S = 5
MOST = 200
LONGEST_TEXT = 200_000  # characters: ruff takes a thousand times as many bytes for some texts
LONGEST = 500  # characters of a message: a name in it may be as long as the code
BREAKING = re.compile(r"invalid-syntax|E9|F7|F82")  # what ends a run when it is reached; the rest is advice
OLDEST, NEWEST = 8, 14  # the Pythons 3 that scripts may have
_one_at_a_time = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Where a text is wrong (`field`; lines and columns count from 1, the end is exclusive), how badly, and why."""

    field: str
    line: int
    column: int
    end_line: int
    end_column: int
    code: str
    message: str
    severity: str


def find(*, code: str, requirements: str, python_version: str) -> list[Problem]:
    """Return what is wrong with a text, at most 200 problems. It may start a process; it never fails."""
    found = chain(_of_python(python_version), _of_requirements(requirements), _of_code(code, _minor(python_version)))
    return list(islice(found, MOST))


def _of_python(python_version: str) -> Iterator[Problem]:
    try:
        interpreters.choose(python_version)
    except interpreters.InterpreterMissing as refusal:
        yield _whole_line("python_version", 1, "", "python", str(refusal))


def _of_requirements(text: str) -> Iterator[Problem]:
    try:
        requirements_text.normalise(text)
    except ScriptError as refusal:
        lines = text.split("\n")
        refused = list(requirements_text.refused_lines(text)) or [(1, str(refusal))]
        yield from (_whole_line("requirements", at, lines[at - 1], "requirement", why) for at, why in refused)


def _of_code(code: str, minor: int) -> tuple[Problem, ...]:
    """What ruff says. When it cannot be asked, that is said: a text that nobody looked at is not free of problems."""
    if not code.strip():
        return ()
    if len(code) > LONGEST_TEXT:
        return (_unchecked(f"This text is not checked: it has more than {LONGEST_TEXT:,} characters."),)
    try:
        return _ask_ruff(code, minor)
    except (OSError, subprocess.SubprocessError, ValueError, LookupError, TypeError) as error:
        logger.warning("problems not found: ruff: %s", error)
        return (_unchecked("This text could not be checked: the checker failed on it."),)


@functools.lru_cache(maxsize=16)
def _ask_ruff(code: str, minor: int) -> tuple[Problem, ...]:
    command = [str(RUFF), "check", "--isolated", "--no-cache", "--exit-zero", "--output-format", "json-lines"]
    command += ["--select", RULES, "--target-version", f"py3{minor}", "--stdin-filename", "main.py", "-"]
    if not _one_at_a_time.acquire(timeout=PATIENCE_S):
        raise TimeoutError("another text is being checked")
    try:
        return tuple(_problem(json.loads(line)) for line in _first_lines(command, code.encode(errors="replace")))
    finally:
        _one_at_a_time.release()


def _first_lines(command: list[str], text: bytes) -> list[bytes]:
    """The first 200 lines that a program writes about a text; it is ended then, or when it takes too long."""
    with tempfile.TemporaryFile() as given:
        given.write(text)
        given.seek(0)
        with subprocess.Popen(
            command,
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"RAYON_NUM_THREADS": "1"},
        ) as program:
            assert program.stdout
            patience = threading.Timer(PATIENCE_S, program.kill)
            patience.start()
            lines = list(islice(program.stdout, MOST))
            if len(lines) == MOST:
                program.kill()
            status = program.wait()
            patience.cancel()
    if status and len(lines) < MOST:
        raise subprocess.CalledProcessError(status, command[0])
    return lines


def _problem(found: dict[str, Any]) -> Problem:
    code = found["code"] or ""
    return Problem(
        field="code",
        line=found["location"]["row"],
        column=found["location"]["column"],
        end_line=found["end_location"]["row"],
        end_column=found["end_location"]["column"],
        code=code,
        message=found["message"][:LONGEST],
        severity="error" if BREAKING.match(code) else "warning",
    )


def _unchecked(message: str) -> Problem:
    return replace(_whole_line("code", 1, "", "", message), severity="warning")


def _whole_line(field: str, number: int, line: str, code: str, message: str) -> Problem:
    end = max(len(line), 1) + 1
    return Problem(
        field=field,
        line=number,
        column=1,
        end_line=number,
        end_column=end,
        code=code,
        message=message[:LONGEST],
        severity="error",
    )


def _minor(python_version: str) -> int:
    """The 12 of `3.12.1`, or of Tempo's own Python, within what ruff and scripts know."""
    wanted = re.match(r"3\.(\d{1,2})", python_version or interpreters.own().version)
    return min(max(int(wanted[1]) if wanted else NEWEST, OLDEST), NEWEST)
