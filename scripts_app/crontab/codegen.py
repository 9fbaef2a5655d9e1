"""Writes the code of scripts that come from cron: copied files in the context that cron had, or calls of a program."""

import io
import re
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from scripts_app.crontab import conditions
from scripts_app.crontab.parser import printable

MAX_COMMENT = 400
SHELL = "/bin/sh"
# What a run has behind its environment's programs.
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_FILLERS = frozenset({tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT})
_FUTURE = ["from", "__future__"]


@dataclass(frozen=True, kw_only=True)
class CommandContext:
    """The line of a command, and what cron or the words around the command had set up for it."""

    line: str
    variables: Mapping[str, str] = field(default_factory=dict)
    stdin: str | None = None
    stdin_file: str = ""
    output_file: tuple[str, bool] = ("", False)  # the path, and whether it is added to
    folder: str = ""
    shell: str = SHELL
    guards: Sequence[str] = ()  # shell conditions: unless all hold there is nothing to do
    wait_s: int = 0
    umask: int | None = None
    raw_arguments: str = ""  # that a shell has to read: `$(date +%F)`, `*.csv`

    @property
    def path(self) -> str:
        """Return the folders of `PATH` that Tempo's own lacks; they come behind it."""
        own = SYSTEM_PATH.split(":")
        folders = self.variables.get("PATH", "").split(":")
        return ":".join(each for each in folders if each.startswith("/") and each not in own)

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
    imports = _imports_for(statements)
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


def in_shell(command: str, context: CommandContext, *, words: Sequence[str]) -> str:
    """Return code that has a shell run a command; `words` start the shell: `/bin/sh`, `-c`."""
    why = "A shell runs it, as cron did."
    literal = f"COMMAND = {command!r}"
    if "\n" in command:
        lines = "".join(f"    {line!r}\n" for line in command.splitlines(keepends=True))
        literal = f"COMMAND = (\n{lines})"
    shell = ", ".join(map(repr, words))
    return _call(literal, f"[{shell}, COMMAND]", context, why)


def module(name: str, context: CommandContext, *, arguments: Sequence[str] = ()) -> str:
    """Return code that runs a module as `python -m` does."""
    run = f'import runpy\n\nrunpy.run_module({name!r}, run_name="__main__", alter_sys=True)\n'
    return with_context(run, context, arguments=arguments)


def _context_statements(
    context: CommandContext, arguments: Sequence[str], *, folder: str = ""
) -> Iterator[str]:
    yield from _variables(context)
    for guard in context.guards:
        yield from _guard(guard, context.shell, folder)
    if context.umask is not None:
        yield f"os.umask(0o{context.umask:03o})"
    if context.wait_s:
        yield f"time.sleep({context.wait_s})"
    if "TZ" in context.variables:
        yield "time.tzset()"
    if context.python_path:
        yield f"sys.path[1:1] = {context.python_path!r}"
    yield from _streams(context, arguments)
    if context.folder:
        yield "# Here it works in a folder of its own. Where it worked before, if Tempo may go there:"
        yield f"# import os; os.chdir({context.folder!r})"


def _guard(guard: str, shell: str, folder: str) -> Iterator[str]:
    there = f", cwd={folder!r}" if folder else ""
    yield f"condition = subprocess.run([{shell!r}, '-c', {guard!r}]{there})"
    if conditions.is_test(guard):
        yield "if condition.returncode > 1:"
        yield "    sys.exit(condition.returncode)  # it could not be tested"
    yield "if condition.returncode:"
    yield f"    print({conditions.sentence(guard)!r})"
    look = conditions.look(guard)
    if look:
        yield f"    subprocess.run([{shell!r}, '-c', {look!r}]{there})"
    yield "    sys.exit()  # no failure: cron kept silent, too"


def _streams(context: CommandContext, arguments: Sequence[str]) -> Iterator[str]:
    if context.raw_arguments:
        yield f"READ_BY_A_SHELL = {context.raw_arguments!r}"
        yield 'each = f\'for each in {READ_BY_A_SHELL}; do printf "%s\\\\0" "$each"; done\''
        yield f"told = subprocess.run([{SHELL!r}, '-c', each], stdout=subprocess.PIPE, text=True, check=True)"
        yield "sys.argv[1:] = told.stdout.split('\\0')[:-1]"
    elif arguments:
        yield f"sys.argv[1:] = {list(arguments)!r}"
    if context.stdin_file:
        yield f"sys.stdin = open({context.stdin_file!r})"
    elif context.stdin is not None:
        yield f"sys.stdin = io.StringIO({context.stdin!r})"
    path, is_added = context.output_file
    if path:
        way = "os.O_APPEND" if is_added else "os.O_TRUNC"
        yield f"os.dup2(os.open({path!r}, os.O_WRONLY | os.O_CREAT | {way}, 0o666), 1)"


# Without PATH, which Tempo sets: what the crontab adds to it comes behind.
def _variables(context: CommandContext) -> Iterator[str]:
    for name, value in context.variables.items():
        if name != "PATH":
            yield f"os.environ[{name!r}] = {value!r}"
    if context.path:
        yield f"os.environ['PATH'] += {':' + context.path!r}"


def _imports_for(statements: Sequence[str]) -> list[str]:
    used = [
        re.sub(r"'(?:[^'\\\\]|\\\\.)*'|\"(?:[^\"\\\\]|\\\\.)*\"", "", statement)
        for statement in statements
    ]
    imports = []
    for name in ("io", "os", "subprocess", "sys", "time"):
        if any(re.search(rf"^[^#]*\b{name}\.", statement) for statement in used):
            imports.append(f"import {name}")
    return imports


def _call(command: str, words: str, context: CommandContext, why: str) -> str:
    imports = ["import subprocess", "import sys"]
    constants = [command]
    arguments = [words]
    if context.folder:
        arguments.append(f"cwd={context.folder!r}")
    before = list(_call_statements(context))
    if before:
        imports = _imports_for([*before, "subprocess.run", "sys.exit"])
        imports = sorted({*imports, "import subprocess", "import sys"})
    if context.stdin_file:
        arguments.append(f"stdin=open({context.stdin_file!r})")
    elif context.stdin is not None:
        arguments += [f"input={context.stdin!r}", "text=True"]
    lines = [
        context.title,
        f"# {why}",
        *imports,
        "",
        *constants,
        *before,
        "",
        f"done = subprocess.run({', '.join(arguments)})",
        "sys.exit(done.returncode if done.returncode >= 0 else 128 - done.returncode)",
        "",
    ]
    return "\n".join(lines)


def _call_statements(context: CommandContext) -> Iterator[str]:
    bare = replace(context, folder="", stdin=None, stdin_file="", raw_arguments="")
    yield from _context_statements(bare, (), folder=context.folder)


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
