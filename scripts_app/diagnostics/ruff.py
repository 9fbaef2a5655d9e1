"""The rules of ruff for scripts that run unattended: how severe each rule is, and why."""

import json
import re
import sys
import threading
from pathlib import Path
from typing import Any

from scripts_app.diagnostics import limited_subprocess
from scripts_app.diagnostics.models import Fix, Problem, Severity, TextEdit

# Not by `sysconfig`, which reads the whole configuration of Python's build: 0.4 MB.
RUFF = Path(sys.prefix) / "bin" / "ruff"
TIMEOUT_S = 5.0
# The output for a hostile text is thirty times as long as the text.
MAX_BYTES = 2 * 1024 * 1024
SYNTAX = "syntax"
MAX_MESSAGE = 500  # characters: a name in a message may be as long as the code
MAX_FIX = 2000  # characters: people want to see what a fix changes
_one_at_a_time = threading.Lock()

# All rules of pyflakes are on; for these rules there is a reason to show.
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
# Ruff's S rules for code that runs foreign text, gives access away, or trusts any server. Left out are the rules that
# say little about one's own script: `assert` (S101), listening on all addresses (S104),
# /tmp (S108: each run has a folder of its own), try-except-pass (S110, S112), every `urlopen` (S310), random numbers
# that are no secrets (S311), checksums by MD5 (S303, S324), XML and FTP as such (S313-S319, S321), SNMP (S508, S509),
# every command that is a list (S603) or found by PATH (S606, S607), every paramiko call (S601), Django (S308, S61x),
# templates that make no web page (S701, S702, S704), and imports without their use (S4xx).
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
_UNREADABLE = re.compile(r"invalid-syntax|E9|F40[467]|F62|F70")  # Python cannot read the code
_FATAL = re.compile(r"F82[123]|F50[235679]|F52[14]|F901")  # ends a run
_HARMLESS_RULE = "S113"
_HARMLESS_WORDS = "seems safe"  # ruff's message for a command without foreign text
# Texts in the place of a password that are none: empty, a path or address, the name of a field, a sample.
_NO_PASSWORD = re.compile(
    r"|[^\s:]+://\S*|[./~].*|[<%$].*|.*[\s{}].*|(.)\1*|_*([a-z]+[_-])*(pass(word|wd|phrase)?|pwd|token|secret|key|name|id|url)s?"
    r"|change[_-]?(me|this|it)|replace[_-]?me|example|dummy|test|none|null|true|false|bearer|basic|todo",
    re.IGNORECASE | re.DOTALL,
)


def find_problems(code: str, minor: int, *, with_syntax: bool) -> tuple[Problem, ...]:
    """Return what ruff finds for Python 3.`minor`; syntax errors only `with_syntax`.

    Raises OSError, SubprocessError, ValueError, LookupError or TypeError when ruff is missing or its output is invalid.
    """
    lines = code.split("\n")
    problems = []
    for line in _run_ruff(code, minor):
        finding = json.loads(line)
        if _is_relevant(finding, lines, with_syntax):
            problems.append(_problem(finding))
    return tuple(problems)


def _is_relevant(finding: dict[str, Any], lines: list[str], with_syntax: bool) -> bool:
    rule = finding["code"] or ""
    if _UNREADABLE.match(rule):
        return with_syntax
    if rule in PASSWORDS:
        return not _NO_PASSWORD.fullmatch(_literal(lines, finding))
    return True


def format_code(code: str, minor: int) -> str:
    """Return code in the form that ruff gives it for Python 3.`minor`.

    Raises CalledProcessError when ruff cannot read it, OSError or SubprocessError when ruff fails.
    """
    command = [str(RUFF), "format", "--isolated", "--no-cache"]
    command += ["--target-version", f"py3{minor}"]
    command += ["--stdin-filename", "main.py", "-"]
    output = _run(command, code)
    if len(output) == MAX_BYTES:
        raise OSError("its output is too long")
    return output.decode()


def _run_ruff(code: str, minor: int) -> list[bytes]:
    command = [str(RUFF), "check", "--isolated", "--no-cache", "--exit-zero"]
    command += ["--output-format", "json-lines"]
    command += ["--select", RULES]
    command += ["--target-version", f"py3{minor}"]
    command += ["--stdin-filename", "main.py", "-"]
    output = _run(command, code)
    lines = output.split(b"\n")
    if len(output) == MAX_BYTES:
        lines.pop()  # cut off
    return [line for line in lines if line]


def _run(command: list[str], code: str) -> bytes:
    with limited_subprocess.one_at_a_time(_one_at_a_time, timeout_s=TIMEOUT_S):
        return limited_subprocess.run(
            command,
            code.encode(errors="replace"),
            timeout_s=TIMEOUT_S,
            max_bytes=MAX_BYTES,
            read=[RUFF],
            env={"RAYON_NUM_THREADS": "1"},
        )


def _problem(finding: dict[str, Any]) -> Problem:
    rule = finding["code"] or ""
    return Problem(
        line=finding["location"]["row"],
        column=finding["location"]["column"],
        end_line=finding["end_location"]["row"],
        end_column=finding["end_location"]["column"],
        code=SYNTAX if rule == "invalid-syntax" else rule,
        message=finding["message"][:MAX_MESSAGE],
        why=SECURITY.get(rule) or ADVICE.get(rule, ""),
        severity=_severity(rule, finding["message"]),
        is_secret=rule in PASSWORDS,
        fix=_fix(finding["fix"]),
    )


def _severity(rule: str, message: str) -> Severity:
    if _UNREADABLE.match(rule) or _FATAL.match(rule):
        return Severity.ERROR
    if rule not in SECURITY or rule == _HARMLESS_RULE or _HARMLESS_WORDS in message:
        return Severity.WARNING
    return Severity.SECURITY


def _fix(proposal: dict[str, Any] | None) -> Fix | None:
    if not proposal or proposal["applicability"] == "display":  # may be wrong, says ruff
        return None
    edits = tuple(_text_edit(edit) for edit in proposal["edits"])
    message = proposal["message"] or "Put it right"
    length = len(message) + sum(len(edit.content) for edit in edits)
    if length >= MAX_FIX:
        return None
    return Fix(message=message, edits=edits)


def _text_edit(edit: dict[str, Any]) -> TextEdit:
    return TextEdit(
        line=edit["location"]["row"],
        column=edit["location"]["column"],
        end_line=edit["end_location"]["row"],
        end_column=edit["end_location"]["column"],
        content=edit["content"],
    )


def _literal(lines: list[str], finding: dict[str, Any]) -> str:
    # The text between the quotes, both of `password="x"` and of `"x"`.
    start = finding["location"]
    end = finding["end_location"]
    if start["row"] != end["row"]:
        return ""
    line = lines[start["row"] - 1]
    quoted = line[start["column"] - 1 : end["column"] - 1]
    return re.sub(r"^[^'\"]*['\"]+|['\"]+$", "", quoted[:MAX_MESSAGE])
