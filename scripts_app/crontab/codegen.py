"""Writes the code of scripts that come from cron: copied files in the context that cron had, or calls of a program."""

import io
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from scripts_app.crontab.parser import printable

MAX_COMMENT = 400
_FILLERS = frozenset({tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT})
_FUTURE = ["from", "__future__"]


@dataclass(frozen=True, kw_only=True)
class CommandContext:
    """The line of a command, and the variables, input and folder that cron had for it."""

    line: str
    variables: Mapping[str, str] = field(default_factory=dict)
    stdin: str | None = None
    folder: str = ""

    @property
    def python_path(self) -> list[str]:
        # Set as sys.path: the variable itself comes too late for a Python that runs.
        return list(filter(None, self.variables.get("PYTHONPATH", "").split(":")))

    @property
    def title(self) -> str:
        # Nothing in a printable line can end the comment.
        return f"# Moved in from cron: {printable(self.line, MAX_COMMENT)}"


def with_context(code: str, context: CommandContext, *, arguments: Sequence[str] = ()) -> str:
    """Return the code with statements that set the context up, below its docstring and `__future__` lines."""
    statements = list(_context_statements(context, arguments))
    if not statements:
        return code
    head = [context.title]
    imports = _imports_for(statements, context)
    if imports:
        head += [*imports, ""]
    head += [*statements, ""]
    lines = code.split("\n")
    end = _end_of_preamble(code)
    if end:
        head.insert(0, "")
    return "\n".join([*lines[:end], *head, *lines[end:]])


def missing_file(
    path: str, context: CommandContext, *, reason: str, arguments: Sequence[str] = ()
) -> str:
    """Return code that ends with a sentence about the missing file; `reason` completes a sentence after the path."""
    sentence = f"The code of {printable(path)} is missing: paste it into this script."
    lines = [
        f"# `{printable(path)}` {printable(reason)}.",
        "# Paste its code here, in place of the next line.",
        f"raise SystemExit({sentence!r})",
        "",
    ]
    return with_context("\n".join(lines), context, arguments=arguments)


def program(words: Sequence[str], context: CommandContext) -> str:
    why = "It runs no Python file, so this script calls it."
    return _call(f"COMMAND = {list(words)!r}", "COMMAND", context, why)


def in_shell(command: str, context: CommandContext, *, shell: str) -> str:
    why = "It runs no Python file, so this script has a shell run it, as cron did."
    return _call(f"COMMAND = {command!r}", f"[{shell!r}, '-c', COMMAND]", context, why)


def _context_statements(context: CommandContext, arguments: Sequence[str]) -> Iterator[str]:
    for name, value in context.variables.items():
        yield f"os.environ[{name!r}] = {value!r}"
    if "TZ" in context.variables:
        yield "time.tzset()"
    if context.python_path:
        yield f"sys.path[1:1] = {context.python_path!r}"
    if arguments:
        yield f"sys.argv[1:] = {list(arguments)!r}"
    if context.stdin is not None:
        yield f"sys.stdin = io.StringIO({context.stdin!r})"
    if context.folder:
        yield "# Here it works in a folder of its own. Where it worked before, if Tempo may go there:"
        yield f"# import os; os.chdir({context.folder!r})"


def _imports_for(statements: Sequence[str], context: CommandContext) -> list[str]:
    imports = []
    if context.stdin is not None:
        imports.append("import io")
    for name in ("os", "sys", "time"):
        if any(statement.startswith(f"{name}.") for statement in statements):
            imports.append(f"import {name}")
    return imports


def _call(command: str, words: str, context: CommandContext, why: str) -> str:
    imports = ["import subprocess", "import sys"]
    constants = [command]
    arguments = [words]
    if context.folder:
        arguments.append(f"cwd={context.folder!r}")
    if context.variables:
        imports.insert(0, "import os")
        constants.append(f"VARIABLES = {dict(context.variables)!r}")
        arguments.append("env=os.environ | VARIABLES")
    if context.stdin is not None:
        arguments += [f"input={context.stdin!r}", "text=True"]
    lines = [
        context.title,
        f"# {why}",
        *imports,
        "",
        *constants,
        "",
        f"done = subprocess.run({', '.join(arguments)})",
        "sys.exit(done.returncode if done.returncode >= 0 else 128 - done.returncode)",
        "",
    ]
    return "\n".join(lines)


# The number of lines that have to stay on top: `#!` and the encoding, the docstring, `__future__` imports.
def _end_of_preamble(code: str) -> int:
    end = _count_opening_comments(code)
    try:
        for number, (tokens, last_line) in enumerate(_opening_statements(code)):
            is_docstring = number == 0 and all(text[:1] in "\"'rRuU" for text in tokens)
            if not is_docstring and tokens[:2] != _FUTURE:
                break
            end = last_line
    except (tokenize.TokenError, SyntaxError):  # it will not run anyway: it is copied as it is
        pass
    return end


# Each statement's tokens with its last line, up to the first statement that cannot belong to a preamble.
def _opening_statements(code: str) -> Iterator[tuple[list[str], int]]:
    tokens: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type in _FILLERS:
            continue
        if token.type == tokenize.NEWLINE:
            yield tokens, token.end[0]
            tokens = []
        elif tokens or token.type == tokenize.STRING or token.string == "from":
            tokens.append(token.string)
        else:
            return


def _count_opening_comments(code: str) -> int:
    count = 0
    for line in code.split("\n", 2)[:2]:
        if not line.startswith("#"):
            break
        count += 1
    return count
