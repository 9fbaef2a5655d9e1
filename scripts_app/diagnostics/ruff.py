"""What ruff is asked about a code, how bad each finding is, and why it matters in a script that runs by itself."""

import json
import re
import sysconfig
import threading
from pathlib import Path
from typing import Any

from scripts_app.diagnostics import limited_subprocess
from scripts_app.diagnostics.models import Fix, Problem, Severity, TextEdit

RUFF = Path(sysconfig.get_path("scripts")) / "ruff"
TIMEOUT_S = 5.0
# of its answer: that of a hostile text has thirty times as many as the text
MAX_BYTES = 2 * 1024 * 1024
SYNTAX = "syntax"
MAX_MESSAGE = 500  # characters of a message: a name in it may be as long as the code
MAX_FIX = 2000  # characters: whoever presses a button wants to see what it did
_one_at_a_time = threading.Lock()


# Names, formats and comparisons: pyflakes' rules are all asked for, and each of these says a word more.
ADVICE = {
    "F401": "It is loaded at every run and does nothing.",
    "F403": "It hides which names there are, so that a wrong one is noticed at a run only.",
    "F405": "It is found out at a run only.",
    "F502": "The run ends here with a TypeError.",
    "F503": "The run ends here with a TypeError.",
    "F505": "The run ends here with a KeyError.",
    "F506": "The run ends here with a TypeError.",
    "F507": "The run ends here with a TypeError.",
    "F509": "The run ends here with a ValueError.",
    "F521": "The run ends here with a ValueError.",
    "F524": "The run ends here with an IndexError or a KeyError.",
    "F541": "The braces may be missing.",
    "F601": "The last one counts, the others are lost.",
    "F602": "The last one counts, the others are lost.",
    "F631": "The test can never fail.",
    "F632": "`is` asks whether it is the same object, which for texts and numbers is a matter of chance.",
    "F634": "The test can never be false.",
    "F811": "The one before it is never used.",
    "F821": "The run ends here with a NameError.",
    "F822": "`from ... import *` of it ends with an AttributeError.",
    "F823": "The run ends here with an UnboundLocalError.",
    "F841": "A slip of the pen, or left over.",
    "F901": "The run ends here with a TypeError.",
    "W605": "Newer Pythons warn of it, and one day it will be an error.",
}
# The security scan: what lets text from outside run as code, gives access away, or trusts whoever answers. Left out of
# ruff's S rules is what says little about a script of one's own: `assert` (S101), to listen on all addresses (S104),
# /tmp (S108: each run has a folder of its own), try-except-pass (S110, S112), every `urlopen` (S310), random numbers
# that are no secrets (S311), checksums by MD5 (S303, S324), XML and FTP as such (S313-S319, S321), SNMP (S508, S509),
# every command that is a list (S603) or found by PATH (S606, S607), every paramiko call (S601), Django (S308, S61x),
# templates that make no web page (S701, S702, S704), and imports that say nothing of their use (S4xx).
SECURITY = {
    "S102": "Whatever the text says is run with all that this script may do.",
    "S103": "Every user of the machine may then change or run that file.",
    "S105": "Whoever may read the script, or one of its versions, can use it.",
    "S106": "Whoever may read the script, or one of its versions, can use it.",
    "S107": "Whoever may read the script, or one of its versions, can use it.",
    "S113": "Where the server never answers, the run hangs until its time limit. Pass `timeout=30`.",
    "S201": "Its debugger runs code for whoever reaches the page.",
    "S202": "An archive may put files outside of the folder. Pass `filter='data'`.",
    "S301": "A prepared file runs code when it is read. Use JSON for what comes from outside.",
    "S302": "A prepared file can crash the run. Use JSON for what comes from outside.",
    "S304": "It can be broken.",
    "S305": "It can be broken.",
    "S306": "Somebody else may make the file first. Use `tempfile.NamedTemporaryFile`.",
    "S307": "Whatever the text says is run with all that this script may do. `ast.literal_eval` reads values only.",
    "S312": "Telnet sends passwords in the clear.",
    "S323": "Without a check of its certificate, anybody can pretend to be the server.",
    "S501": "Without a check of its certificate, anybody can pretend to be the server.",
    "S502": "That version of SSL can be broken.",
    "S503": "That version of SSL can be broken.",
    "S504": "Without a version it may choose one that can be broken. Use `ssl.create_default_context()`.",
    "S505": "So short a key can be broken.",
    "S506": "A prepared file runs code when it is read. Use `yaml.safe_load`.",
    "S507": "Anybody can pretend to be the server. Load its key and refuse others.",
    "S602": "A shell reads it, and text from outside in it may run another command. Pass a list without `shell=True`.",
    "S604": "A shell reads it, and text from outside in it may run another command. Pass a list without `shell=True`.",
    "S605": "A shell reads it, and text from outside in it may run another command. Give `subprocess.run` a list.",
    "S608": "A value with a quote in it becomes part of the command. Pass values as parameters.",
    "S609": "A file whose name begins with `-` is taken for an option. Write `./*`.",
    "S612": "Whoever reaches the port can run code.",
}
PASSWORDS = frozenset({"S105", "S106", "S107"})
RULES = ",".join(["E9", "F", "W605", *SECURITY])
# that Python itself refuses to read the code
_REFUSED = re.compile(r"invalid-syntax|E9|F40[467]|F62|F70")
_ENDING = re.compile(r"F82[123]|F50[235679]|F52[14]|F901")  # what ends a run when it is reached
_HARMLESS = (
    "S113",
    "seems safe",
)  # a rule, and what ruff says of a command without anything from outside in it
# What is no password though it stands where one does: empty, a place to look, the name of a field, a sample.
_NO_PASSWORD = re.compile(
    r"|[^\s:]+://\S*|[./~].*|[<%$].*|.*[\s{}].*|(.)\1*|_*([a-z]+[_-])*(pass(word|wd|phrase)?|pwd|token|secret|key|name|id|url)s?"
    r"|change[_-]?(me|this|it)|replace[_-]?me|example|dummy|test|none|null|true|false|bearer|basic|todo",
    re.IGNORECASE | re.DOTALL,
)


def find_problems(code: str, minor: int, *, with_syntax: bool) -> tuple[Problem, ...]:
    """Ask ruff about a code for Python 3.`minor`; what Python itself would refuse to read only `with_syntax`.

    Raises OSError, SubprocessError, ValueError, LookupError, TypeError: it is not there, or answers nonsense.
    """
    lines = code.split("\n")
    asked = [json.loads(line) for line in _ask(code, minor)]
    return tuple(_problem(found) for found in asked if _counts(found, lines, with_syntax))


def _counts(found: dict[str, Any], lines: list[str], with_syntax: bool) -> bool:
    code = found["code"] or ""
    if _REFUSED.match(code):
        return with_syntax
    return code not in PASSWORDS or not _NO_PASSWORD.fullmatch(_literal(lines, found))


def _ask(code: str, minor: int) -> list[bytes]:
    command = [
        str(RUFF),
        "check",
        "--isolated",
        "--no-cache",
        "--exit-zero",
        "--output-format",
        "json-lines",
    ]
    command += [
        "--select",
        RULES,
        "--target-version",
        f"py3{minor}",
        "--stdin-filename",
        "main.py",
        "-",
    ]
    with limited_subprocess.one_at_a_time(_one_at_a_time, patience_s=TIMEOUT_S):
        answer = limited_subprocess.answer(
            command,
            code.encode(errors="replace"),
            patience_s=TIMEOUT_S,
            most_bytes=MAX_BYTES,
            env={"RAYON_NUM_THREADS": "1"},
        )
    lines = answer.split(b"\n")
    return [
        line for line in lines[: -1 if len(answer) == MAX_BYTES else None] if line
    ]  # the last one is cut off


def _problem(found: dict[str, Any]) -> Problem:
    code = found["code"] or ""
    return Problem(
        line=found["location"]["row"],
        column=found["location"]["column"],
        end_line=found["end_location"]["row"],
        end_column=found["end_location"]["column"],
        code=SYNTAX if code == "invalid-syntax" else code,
        message=found["message"][:MAX_MESSAGE],
        why=SECURITY.get(code) or ADVICE.get(code, ""),
        severity=_severity(code, found["message"]),
        is_secret=code in PASSWORDS,
        fix=_fix(found["fix"]),
    )


def _severity(code: str, message: str) -> Severity:
    if _REFUSED.match(code) or _ENDING.match(code):
        return Severity.ERROR
    is_harmless = code in _HARMLESS or any(words in message for words in _HARMLESS)
    return Severity.SECURITY if code in SECURITY and not is_harmless else Severity.WARNING


def _fix(found: dict[str, Any] | None) -> Fix | None:
    """What ruff would do; not what it only shows (it may be wrong) nor what is longer than anybody reads."""
    if not found or found["applicability"] == "display":
        return None
    edits = tuple(
        TextEdit(
            line=edit["location"]["row"],
            column=edit["location"]["column"],
            end_line=edit["end_location"]["row"],
            end_column=edit["end_location"]["column"],
            content=edit["content"],
        )
        for edit in found["edits"]
    )
    message = found["message"] or "Put it right"
    is_short = len(message) + sum(len(edit.content) for edit in edits) < MAX_FIX
    return Fix(message=message, edits=edits) if is_short else None


def _literal(lines: list[str], found: dict[str, Any]) -> str:
    """The text between the quotes at a finding: of `password="x"` as well as of `"x"`."""
    start, end = found["location"], found["end_location"]
    if start["row"] != end["row"]:
        return ""
    quoted = lines[start["row"] - 1][start["column"] - 1 : end["column"] - 1]
    return re.sub(r"^[^'\"]*['\"]+|['\"]+$", "", quoted[:MAX_MESSAGE])
