"""Writes the code of scripts that come from cron: a copied file with what cron gave it, and starters for the rest."""

import io
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from scripts_app.crontab.parser import printable

MAX_COMMENT = 400
_FILLERS = frozenset({tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT})
_FUTURE = ["from", "__future__"]


@dataclass(frozen=True, kw_only=True)
class Given:
    """What cron gave to a command: the line it stood on, and what the script has to be given instead."""

    line: str
    variables: Mapping[str, str] = field(default_factory=dict)
    stdin: str | None = None
    folder: str = ""  # where it worked

    @property
    def python_path(self) -> list[str]:
        """Where Python was to look for modules; the variable itself comes too late for a Python that runs."""
        return [each for each in self.variables.get("PYTHONPATH", "").split(":") if each]

    @property
    def title(self) -> str:
        """The comment that says where a script comes from; nothing in it can end the comment."""
        return f"# Moved in from cron: {printable(self.line, MAX_COMMENT)}"


def with_head(code: str, given: Given, *, arguments: Sequence[str] = ()) -> str:
    """Return the code with what it was given, below its docstring and `__future__` lines; unchanged for nothing."""
    acts = [f"os.environ[{name!r}] = {value!r}" for name, value in given.variables.items()]
    acts += ["time.tzset()"] if "TZ" in given.variables else []
    acts += [f"sys.path[1:1] = {given.python_path!r}"] if given.python_path else []
    acts += [f"sys.argv[1:] = {list(arguments)!r}"] if arguments else []
    acts += [f"sys.stdin = io.StringIO({given.stdin!r})"] if given.stdin is not None else []
    imports = [
        f"import {name}"
        for name in ("os", "sys", "time")
        if any(act.startswith(f"{name}.") for act in acts)
    ]
    if given.stdin is not None:
        imports = ["import io", *imports]
    else:
        imports = imports
    if given.folder:
        acts += [
            "# Here it works in a folder of its own. Where it worked before, if Tempo may go there:",
            f"# import os; os.chdir({given.folder!r})",
        ]
    if not acts:
        return code
    head = [given.title, *imports, *([""] if imports else []), *acts, ""]
    lines = code.split("\n")
    end = _end_of_preamble(code)
    return "\n".join([*lines[:end], *([""] if end else []), *head, *lines[end:]])


def missing_file(path: str, given: Given, *, reason: str, arguments: Sequence[str] = ()) -> str:
    sentence = f"The code of {printable(path)} is missing: paste it into this script."
    rest = f"# `{printable(path)}` {printable(reason)}.\n# Paste its code here, in place of the next line.\n"
    return with_head(f"{rest}raise SystemExit({sentence!r})\n", given, arguments=arguments)


def program(words: Sequence[str], given: Given) -> str:
    return _starter(
        f"COMMAND = {list(words)!r}",
        "COMMAND",
        given,
        "It runs no Python file, so this script calls it.",
    )


def in_shell(command: str, given: Given, *, shell: str) -> str:
    why = "It runs no Python file, so this script has a shell run it, as cron did."
    return _starter(f"COMMAND = {command!r}", f"[{shell!r}, '-c', COMMAND]", given, why)


def _starter(stated: str, called: str, given: Given, why: str) -> str:
    options = [f"cwd={given.folder!r}"] if given.folder else []
    options += ["env=os.environ | VARIABLES"] if given.variables else []
    options += [f"input={given.stdin!r}", "text=True"] if given.stdin is not None else []
    return "\n".join(
        [
            given.title,
            f"# {why}",
            *(["import os"] if given.variables else []),
            "import subprocess",
            "import sys",
            "",
            stated,
            *([f"VARIABLES = {dict(given.variables)!r}"] if given.variables else []),
            "",
            f"done = subprocess.run({', '.join([called, *options])})",
            "sys.exit(done.returncode if done.returncode >= 0 else 128 - done.returncode)",
            "",
        ]
    )


# How many lines have to stay on top: `#!` and the encoding, the docstring, `__future__` imports.
def _end_of_preamble(code: str) -> int:
    end = _opening_comments(code)
    try:
        for number, (statement, last_line) in enumerate(_statements(code)):
            is_docstring = number == 0 and all(text[:1] in "\"'rRuU" for text in statement)
            if not is_docstring and statement[:2] != _FUTURE:
                break
            end = last_line
    except (tokenize.TokenError, SyntaxError):  # it will not run anyway: it is copied as it is
        pass
    return end


# Yield each opening statement's tokens and its last line; those that cannot belong to a preamble end
# it.
def _statements(code: str) -> Iterator[tuple[list[str], int]]:
    statement: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type in _FILLERS:
            continue
        if token.type == tokenize.NEWLINE:
            yield statement, token.end[0]
            statement = []
        elif statement or token.type == tokenize.STRING or token.string == "from":
            statement.append(token.string)
        else:
            return


def _opening_comments(code: str) -> int:
    lines = code.split("\n", 2)[:2]
    return next(
        (number for number, line in enumerate(lines) if not line.startswith("#")), len(lines)
    )
