"""Reads a shell command that does nothing clever, without a shell: which words, and which Python file they run.

Whatever a shell would do more than that (pipes, globs, substitutions) is refused and left to a shell.
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
# Words that mean something to the shell itself: no program bears them, or it does something else.
_SHELL_WORDS = frozenset(
    {
        "{",
        "}",
        "!",
        "[[",
        "if",
        "then",
        "else",
        "elif",
        "fi",
        "for",
        "while",
        "until",
        "do",
        "done",
        "case",
        "esac",
    }
    | {
        "function",
        "time",
        "select",
        ".",
        ":",
        "alias",
        "bg",
        "break",
        "cd",
        "command",
        "continue",
        "eval",
        "exit",
    }
    | {
        "export",
        "fg",
        "getopts",
        "hash",
        "jobs",
        "local",
        "read",
        "readonly",
        "return",
        "set",
        "shift",
        "source",
    }
    | {"times", "trap", "type", "ulimit", "umask", "unalias", "unset", "wait"}
)


class UnsupportedShellSyntax(ValueError):
    """A command that only a shell can run as it is meant; str() says what is too clever."""


@dataclass(kw_only=True)
class Step:
    """One program with its words, and where the shell sends its output; `joint` is what ends it."""

    words: list[str] = field(default_factory=list)
    redirections: list[str] = field(default_factory=list)
    joint: str = ""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One program, called in a folder, with variables of its own."""

    words: list[str]
    folder: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    redirections: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class PythonFile:
    """A call that runs a Python file; `path` may be relative, to the folder where cron would have run it."""

    path: str
    arguments: list[str]
    version: str = ""  # of the interpreter's name: `3.11`, `3`, or ""
    flags: list[str] = field(default_factory=list)


def call(command: str, variables: Mapping[str, str]) -> Call:
    """Return the one program that a command calls, what comes before it taken in. Raises TooClever.

    Before it may come: `cd DIR &&`, `. venv/bin/activate &&`, variables, `exec`, `nohup`, `env`.
    """
    if len(command) > MAX_LENGTH:
        raise UnsupportedShellSyntax(f"it has more than {MAX_LENGTH:,} characters")
    *before, last = steps(command, variables)
    folder = ""
    for step in before:
        folder = _folder_after(step, folder)
    own, words = _without_prefixes(last.words)
    if not words:
        raise UnsupportedShellSyntax("it calls no program")
    if words[0] in _SHELL_WORDS:
        raise UnsupportedShellSyntax(f"`{words[0]}` is the shell's own")
    return Call(words=words, folder=folder, variables=own, redirections=last.redirections)


def python_file(words: list[str]) -> PythonFile | None:
    """Return the Python file which these words run, or None: `-m`, `-c`, no file, another program."""
    if words[0].endswith(".py"):
        return PythonFile(path=words[0], arguments=words[1:])
    match = _PYTHON.fullmatch(words[0])
    if match is None:
        return None
    flags: list[str] = []
    rest = iter(words[1:])
    for word in rest:
        if valued := _VALUE_FLAGS.fullmatch(word):
            flags.append(word if valued["value"] else f"{word} {next(rest, '')}")
        elif _FLAGS.fullmatch(word):
            flags.append(word)
        elif word.startswith("-"):
            return None
        else:
            return PythonFile(
                path=word, arguments=list(rest), version=match["version"] or "", flags=flags
            )
    return None


def steps(command: str, variables: Mapping[str, str]) -> list[Step]:
    """Return the programs that a command calls one after another. Raises TooClever."""
    found = [Step()]
    for kind, text in _words(command, variables):
        if kind == "joint":
            found[-1].joint = text
            found.append(Step())
        else:
            (found[-1].words if kind == "word" else found[-1].redirections).append(text)
    if (
        not found[-1].words
        and not found[-1].redirections
        and len(found) > 1
        and found[-2].joint == ";"
    ):
        found.pop()  # a line may end with `;`
    return found


def _words(command: str, variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    pieces: list[str] = []  # of the word at hand; a word in quotes may be empty
    sign = ""  # of the redirection whose file the next word names
    for kind, text, follows in _parts(command):
        if kind == "hash" and pieces:
            pieces.append(text)
        elif kind not in ("space", "joint", "redirection", "hash"):
            pieces.append(_meaning(kind, text, variables, is_first=not pieces, follows=follows))
        else:
            if pieces and kind == "redirection" and text[0].isdigit():
                raise UnsupportedShellSyntax("of a redirection that is hard to read")
            if pieces:
                yield (
                    ("redirection", f"{sign} {''.join(pieces)}")
                    if sign
                    else ("word", "".join(pieces))
                )
                pieces, sign = [], ""
            if kind == "hash":
                return
            if kind == "redirection" and not text[-1].isdigit() and text[-1] != "-":
                sign = text.strip()
            elif kind != "space":
                yield kind, text


# Yield each part's kind, its text without quotes, and the character after it; at last a space, to end
# a word.
def _parts(command: str) -> Iterator[tuple[str, str, str]]:
    for match in _matches(_PART, command):
        kind = match.lastgroup or ""
        yield kind, match[kind], command[match.end() : match.end() + 1]
    yield "space", " ", ""


def _matches(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    position = 0
    while position < len(text):
        match = pattern.match(text, position)
        if match is None:
            raise UnsupportedShellSyntax(_refusal(text[position]))
        yield match
        position = match.end()


def _refusal(character: str) -> str:
    if character.isprintable():
        shown = character
    else:
        shown = "a line break"
    if shown == character:
        return f"of `{shown}`"
    return f"of {shown}"


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
    names = ((match, match["name"] or match["braced"]) for match in _matches(_QUOTED, text))
    return "".join(
        _value(name, variables) if name else match["escaped"] or match["plain"]
        for match, name in names
    )


def _value(name: str, variables: Mapping[str, str]) -> str:
    if name not in variables:
        raise UnsupportedShellSyntax(f"of `${name}`, which the crontab does not set")
    return variables[name]


# The folder after a step before the program. Raises TooClever for steps that do more than go
# somewhere.
def _folder_after(step: Step, folder: str) -> str:
    if step.words[:1] == ["cd"] and len(step.words) == 2 and step.words[1] != "-":
        return posixpath.join(folder, step.words[1])
    is_activation = step.words[:1] in (["."], ["source"]) and step.words[-1].endswith(
        "bin/activate"
    )
    if not is_activation or len(step.words) != 2:
        raise UnsupportedShellSyntax("it calls several programs")
    return folder


def _without_prefixes(words: list[str]) -> tuple[dict[str, str], list[str]]:
    own: dict[str, str] = {}
    rest = list(words)
    while rest:
        is_env = (
            posixpath.basename(rest[0]) == "env" and len(rest) > 1 and not rest[1].startswith("-")
        )
        if match := _ASSIGNMENT.fullmatch(rest[0]):
            own[match["name"]] = match["value"]
        elif not is_env and rest[0] not in _PREFIXES:
            break
        rest.pop(0)
    return own, rest
