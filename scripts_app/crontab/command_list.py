"""Splits a shell command into the commands that it joins by `&&`, `||`, `;`, `|` and `&`.

Quotes, substitutions and groups are kept whole. What a word means is left open, and nothing runs.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from scripts_app.crontab.shell import MAX_LENGTH, UnsupportedShellSyntax

_SPACE = re.compile(r"[ \t]+|\\\n")
_JOINT = re.compile(r"&&|\|\||\|&|;|\||&(?!>)|\n")
_REDIRECTION = re.compile(
    r"(?:[0-9]*(?:>>|>\||>&|<<<|<<-?|<&|<>|>|<)|&>>?)[ \t]*(?P<target>&?[0-9]+(?![^\s;&|<>])|-)?"
)
_QUOTES = re.compile(r"""'[^']*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`|\\.""", re.DOTALL)
_PLAIN = re.compile(r"[^ \t\n'\"`\\$;&|<>()]+|\$(?![({])|\$\{[^}]*\}")
_COMMENT = re.compile(r"#[^\n]*")
# A word that opens a compound command, with the word that closes it.
_COMPOUNDS = {
    "if": "fi",
    "for": "done",
    "while": "done",
    "until": "done",
    "select": "done",
    "{": "}",
}
_BEFORE_COMMANDS = frozenset({"then", "do", "else", "elif", "!"})


@dataclass(frozen=True, kw_only=True)
class ListedCommand:
    """One command as it is written; `joint` stands before it, and is empty for the first."""

    text: str
    joint: str = ""
    words: list[str] = field(default_factory=list)  # raw, with their quotes
    redirections: list[str] = field(default_factory=list)  # raw: `>> log`, `2>&1`
    is_compound: bool = False  # a group, a loop, a condition


@dataclass(frozen=True, kw_only=True)
class _Token:
    kind: str  # word, joint, sign (of a redirection) or group
    start: int
    end: int
    text: str


def split(command: str) -> list[ListedCommand]:
    """Return the commands of a line in order; a `&` at the end leaves no trace but is_background().

    Raise UnsupportedShellSyntax for quotes and groups that stay open, for `case`, functions and texts behind `<<`.
    """
    if len(command) > MAX_LENGTH:
        raise UnsupportedShellSyntax(f"it has more than {MAX_LENGTH:,} characters")
    found: list[ListedCommand] = []
    tokens: list[_Token] = []
    joint = ""
    open_words: list[str] = []
    for token in _tokens(command):
        if token.kind == "joint" and not open_words:
            _add(found, tokens, joint, command)
            joint = _joint_after(token, joint, tokens)
            tokens = []
            continue
        if token.kind == "word" and _is_command_place(tokens):
            _follow_compound(token.text, open_words)
        tokens.append(token)
    if open_words:
        raise UnsupportedShellSyntax(f"of a `{open_words[-1]}` that is missing")
    _add(found, tokens, joint, command)
    return found


def is_background(command: str) -> bool:
    """Return whether a command ends with `&`: the shell goes on at once and does not look at how it ends."""
    last = None
    for token in _tokens(command):
        if token.kind != "joint" or token.text.strip(";\n"):
            last = token
    return last is not None and last.kind == "joint" and last.text == "&"


def inside_group(command: ListedCommand) -> str:
    """Return what stands within `( ... )` or `{ ...; }` when that is the whole command, else an empty text."""
    text = command.text
    if len(command.words) == 1 and command.words[0].startswith("("):
        return command.words[0][1:-1].strip()
    if command.is_compound and command.words[0] == "{" and command.words[-1] == "}":
        return text[1:-1].strip().removesuffix(";") if text.endswith("}") else ""
    return ""


def _joint_after(token: _Token, joint: str, tokens: list[_Token]) -> str:
    text = ";" if token.text == "\n" else token.text
    if not tokens and text == ";":  # an empty line between two
        return joint or text
    return text


def _add(found: list[ListedCommand], tokens: list[_Token], joint: str, command: str) -> None:
    if not tokens:
        return
    words, redirections = _words_and_redirections(tokens)
    first = words[0] if words else ""
    found.append(
        ListedCommand(
            text=command[tokens[0].start : tokens[-1].end],
            joint=joint if found else "",
            words=words,
            redirections=redirections,
            is_compound=first in _COMPOUNDS or first.startswith("(") or first == "!",
        )
    )


def _words_and_redirections(tokens: list[_Token]) -> tuple[list[str], list[str]]:
    words = []
    redirections = []
    waiting = ""
    for token in tokens:
        if token.kind == "sign":
            if token.text[-1] in "0123456789-" and "<<" not in token.text:
                redirections.append(token.text)
            else:
                waiting = token.text.strip()
        elif waiting:
            redirections.append(f"{waiting} {token.text}")
            waiting = ""
        else:
            words.append(token.text)
    if waiting or any("<<" in each and "<<<" not in each for each in redirections):
        raise UnsupportedShellSyntax("of a text behind `<<`, or a redirection without a file")
    return words, redirections


def _is_command_place(tokens: list[_Token]) -> bool:
    if not tokens:
        return True
    last = tokens[-1]
    return (
        last.kind == "joint" or last.text in _BEFORE_COMMANDS or last.text in ("if", "while", "{")
    )


def _follow_compound(word: str, open_words: list[str]) -> None:
    if word in ("case", "function"):
        raise UnsupportedShellSyntax(f"of `{word}`")
    if word in _COMPOUNDS:
        open_words.append(_COMPOUNDS[word])
    elif open_words and word == open_words[-1]:
        open_words.pop()


def _tokens(command: str) -> Iterator[_Token]:
    position = 0
    while position < len(command):
        if match := _SPACE.match(command, position):
            position = match.end()
            continue
        if match := _COMMENT.match(command, position):
            position = match.end()
            continue
        kind = "word"
        if match := _REDIRECTION.match(command, position):
            kind, end = "sign", match.end()
        elif match := _JOINT.match(command, position):
            kind, end = "joint", match.end()
        else:
            end = _end_of_word(command, position)
        yield _Token(kind=kind, start=position, end=end, text=command[position:end])
        position = end


def _end_of_word(command: str, position: int) -> int:
    start = position
    while position < len(command):
        if command.startswith("$(", position):
            position = _end_of_brackets(command, position + 1)
        elif command[position] == "(" and position == start:
            return _end_of_brackets(command, position)
        elif match := _QUOTES.match(command, position) or _PLAIN.match(command, position):
            position = match.end()
        else:
            break
    if position == start:
        raise UnsupportedShellSyntax(f"of `{command[position]}`")
    return position


def _end_of_brackets(command: str, position: int) -> int:
    depth = 0
    while position < len(command):
        match = _QUOTES.match(command, position)
        if match:
            position = match.end()
            continue
        depth += (command[position] == "(") - (command[position] == ")")
        position += 1
        if depth == 0:
            return position
    raise UnsupportedShellSyntax("of a bracket that stays open")
