"""Reads a plain shell command without a shell: its words, and the Python file that they run.

Everything else that a shell understands (pipes, globs, substitutions) is refused and left to a shell.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

MAX_LENGTH = 20_000  # no crontab has so long a line; cron itself takes 1,000

_PART = re.compile(
    r"""(?P<space>[ \t]+)
    | (?P<joint>&&|;)
    | (?P<redirection>(?:[0-9]*|&)(?:>>|>\||>|<)(?:&(?:[0-9]|-)|[ \t]*(?=[^ \t&;|<>()])))
    | '(?P<single>[^']*)'
    | "(?P<double>(?:[^"\\]|\\.)*)"
    | \\(?P<escaped>[^\n])
    | \$(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)\})
    | (?P<tilde>~)
    | (?P<hash>\#)
    | (?P<plain>[^ \t\n\r'"\\$`&|;<>()*?\[#~]+)""",
    re.VERBOSE | re.DOTALL,
)
_QUOTED = re.compile(
    r"""\\(?P<escaped>["\\$`])
    | \$(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)\})
    | (?P<plain>[^\\$`]+|\\)""",
    re.VERBOSE | re.DOTALL,
)
_ASSIGNMENT = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)=(?P<value>.*)", re.DOTALL)
_PYTHON = re.compile(r"(?:.*/)?python(?P<version>[23](?:\.[0-9]{1,2})?)?", re.DOTALL)
_FLAGS = re.compile(r"-[bBdEiIOPqRsSuvx]+")
_VALUE_FLAGS = re.compile(r"-[WX](?P<value>.*)", re.DOTALL)
_PREFIXES = ("exec", "nohup")
_BREAKS = ("space", "joint", "redirection", "hash")  # the kinds of parts that end a word
# Words of the shell itself: no program has such a name, or the program does something else.
_SHELL_WORDS = frozenset(
    {
        "!",
        ".",
        ":",
        "[[",
        "alias",
        "bg",
        "break",
        "case",
        "cd",
        "command",
        "continue",
        "do",
        "done",
        "elif",
        "else",
        "esac",
        "eval",
        "exit",
        "export",
        "fg",
        "fi",
        "for",
        "function",
        "getopts",
        "hash",
        "if",
        "jobs",
        "local",
        "read",
        "readonly",
        "return",
        "select",
        "set",
        "shift",
        "source",
        "then",
        "time",
        "times",
        "trap",
        "type",
        "ulimit",
        "umask",
        "unalias",
        "unset",
        "until",
        "wait",
        "while",
        "{",
        "}",
    }
)


class UnsupportedShellSyntax(ValueError):
    """A command that only a shell can run; str() names the syntax that is not supported."""


@dataclass(kw_only=True)
class ShellStep:
    """A program with its words and redirections; `joint` ends the step: `&&`, `;` or nothing."""

    words: list[str] = field(default_factory=list)
    redirections: list[str] = field(default_factory=list)
    joint: str = ""


@dataclass(frozen=True, kw_only=True)
class ShellCall:
    words: list[str]
    folder: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    redirections: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class PythonFile:
    """A call that runs a Python file; `path` may be relative to the folder where cron would have run the command."""

    path: str
    arguments: list[str]
    version: str = ""  # of the interpreter's name: `3.11`, `3`, or ""
    flags: list[str] = field(default_factory=list)


def call(command: str, variables: Mapping[str, str]) -> ShellCall:
    """Return the single program that a command calls. Raise UnsupportedShellSyntax.

    Before the program may come: `cd DIR &&`, `. venv/bin/activate &&`, variables, `exec`, `nohup`, `env`.
    """
    if len(command) > MAX_LENGTH:
        raise UnsupportedShellSyntax(f"it has more than {MAX_LENGTH:,} characters")
    *before, last = steps(command, variables)
    folder = ""
    for step in before:
        folder = _folder_after(step, folder)
    own_variables, words = _split_prefixes(last.words)
    if not words:
        raise UnsupportedShellSyntax("it calls no program")
    if words[0] in _SHELL_WORDS:
        raise UnsupportedShellSyntax(f"`{words[0]}` is the shell's own")
    return ShellCall(
        words=words, folder=folder, variables=own_variables, redirections=last.redirections
    )


def python_file(words: list[str]) -> PythonFile | None:
    """Return the Python file that these words run, or None: `-m`, `-c`, no file, another program."""
    if words[0].endswith(".py"):
        return PythonFile(path=words[0], arguments=words[1:])
    interpreter = _PYTHON.fullmatch(words[0])
    if interpreter is None:
        return None
    version = interpreter["version"] or ""
    flags: list[str] = []
    rest = iter(words[1:])
    for word in rest:
        value_flag = _VALUE_FLAGS.fullmatch(word)
        if value_flag and not value_flag["value"]:
            flags.append(f"{word} {next(rest, '')}")
        elif value_flag or _FLAGS.fullmatch(word):
            flags.append(word)
        elif word.startswith("-"):
            return None
        else:
            return PythonFile(path=word, arguments=list(rest), version=version, flags=flags)
    return None


def is_shell_word(word: str) -> bool:
    return word in _SHELL_WORDS


def steps(command: str, variables: Mapping[str, str]) -> list[ShellStep]:
    found = [ShellStep()]
    for kind, text in _words(command, variables):
        step = found[-1]
        if kind == "joint":
            step.joint = text
            found.append(ShellStep())
        elif kind == "word":
            step.words.append(text)
        else:
            step.redirections.append(text)
    last = found[-1]
    is_empty = not last.words and not last.redirections
    if is_empty and len(found) > 1 and found[-2].joint == ";":
        found.pop()  # a line may end with `;`
    return found


# (`word`, text), (`redirection`, text) and (`joint`, text) in order.
def _words(command: str, variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    pieces: list[str] = []  # of the current word; a word in quotes may be empty
    sign = ""  # of the redirection whose file the next word names
    for kind, text, follows in _parts(command):
        if kind == "hash" and pieces:
            pieces.append(text)
            continue
        if kind not in _BREAKS:
            pieces.append(_meaning(kind, text, variables, is_first=not pieces, follows=follows))
            continue
        if pieces and kind == "redirection" and text[0].isdigit():
            raise UnsupportedShellSyntax("of a redirection that is hard to read")
        if pieces:
            word = "".join(pieces)
            if sign:
                yield "redirection", f"{sign} {word}"
            else:
                yield "word", word
            pieces = []
            sign = ""
        if kind == "hash":  # a comment
            return
        if kind == "redirection" and not text[-1].isdigit() and text[-1] != "-":
            sign = text.strip()
        elif kind != "space":
            yield kind, text


# Each part's kind, its text without quotes, and the character after it; at last a space, to end a word.
def _parts(command: str) -> Iterator[tuple[str, str, str]]:
    for match in _matches(_PART, command):
        kind = match.lastgroup or ""
        yield kind, match[kind], command[match.end() : match.end() + 1]
    yield "space", " ", ""


# The matches follow each other without a gap.
def _matches(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    position = 0
    while position < len(text):
        match = pattern.match(text, position)
        if match is None:
            raise _unsupported_character(text[position])
        yield match
        position = match.end()


def _unsupported_character(character: str) -> UnsupportedShellSyntax:
    if character.isprintable():
        return UnsupportedShellSyntax(f"of `{character}`")
    return UnsupportedShellSyntax("of a line break")


def _meaning(
    kind: str, text: str, variables: Mapping[str, str], *, is_first: bool, follows: str
) -> str:
    if kind in ("name", "braced"):
        value = _value(text, variables)
        if re.search(r"[\s*?\[]", value):
            raise UnsupportedShellSyntax(f"of `${text}`, whose value the shell takes apart")
        return value
    if kind == "double":
        return _double_quoted(text, variables)
    if kind == "tilde" and is_first:
        if follows not in ("", "/", " ", "\t"):
            raise UnsupportedShellSyntax("of `~` before a user's name")
        return _value("HOME", variables)
    return text


def _double_quoted(text: str, variables: Mapping[str, str]) -> str:
    pieces = []
    for match in _matches(_QUOTED, text):
        name = match["name"] or match["braced"]
        if name:
            pieces.append(_value(name, variables))
        else:
            pieces.append(match["escaped"] or match["plain"])
    return "".join(pieces)


def _value(name: str, variables: Mapping[str, str]) -> str:
    if name not in variables:
        raise UnsupportedShellSyntax(f"of `${name}`, which the crontab does not set")
    return variables[name]


# A step before the program may change the folder or activate an environment, and nothing else.
def _folder_after(step: ShellStep, folder: str) -> str:
    if len(step.words) != 2:
        raise UnsupportedShellSyntax("it calls several programs")
    command, target = step.words
    if command == "cd" and target != "-":
        return posixpath.join(folder, target)
    if command in (".", "source") and target.endswith("bin/activate"):
        return folder
    raise UnsupportedShellSyntax("it calls several programs")


# The variables that a call begins with, and the words behind them, `exec`, `nohup` and `env`.
def _split_prefixes(words: list[str]) -> tuple[dict[str, str], list[str]]:
    variables: dict[str, str] = {}
    rest = list(words)
    while rest:
        assignment = _ASSIGNMENT.fullmatch(rest[0])
        if assignment:
            variables[assignment["name"]] = assignment["value"]
        elif not _is_env(rest) and rest[0] not in _PREFIXES:
            break
        rest.pop(0)
    return variables, rest


def _is_env(words: list[str]) -> bool:
    if len(words) < 2 or words[1].startswith("-"):
        return False
    return posixpath.basename(words[0]) == "env"
