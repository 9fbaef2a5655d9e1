"""What a script's text says of itself in its PEP 723 block (`# /// script`): read, never executed."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

MAX_TEXT = 1024 * 1024  # characters
MAX_BLOCK = 32 * 1024  # characters
MAX_LINE = 4000  # characters
MAX_DOTS = 200  # in a line: for each part of a dotted key tomllib looks at all parts before it
MAX_MESSAGE = 300  # characters of a message
_BEGIN = re.compile(r"^# /// script$", re.MULTILINE)
_END = "# ///"
_PLACE = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$")


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """What a block says. `requirements` is None where it names none, `parameters` where there is no such table.

    Lines count from 1, in the whole text; what a problem spoils is left out as if it were not there.
    """

    requirements: tuple[str, ...] | None = None
    requires_python: str = ""
    parameters: Mapping[str, Any] | None = None
    problems: tuple[tuple[int, str], ...] = ()
    line: int = 0  # of its beginning; 0 where there is none
    lines: Sequence[str] = field(default=(), repr=False)

    def line_of(self, *names: str) -> int:
        """The line on which the last of these keys seems to be given a value; that of the block's beginning if none."""
        key = re.escape(names[-1])
        given = re.compile(
            rf"\s*(?:\[[^\]]*\b{key}[\"']?\s*\]|(?:[\w.\"' -]*\.)?[\"']?{key}[\"']?\s*=)"
        )
        found = (at for at, line in enumerate(self.lines, start=self.line + 1) if given.match(line))
        return next(found, self.line)


class _Broken(Exception):
    """The block cannot be read, from this line on, for this reason."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


def read(code: str) -> Metadata:
    """Return what the block of a text says, with what is wrong in it; a text without a block says nothing.

    It never raises, whatever the text, and takes some milliseconds at most.
    """
    if "# /// script" not in code:
        return Metadata()
    if len(code) > MAX_TEXT:
        return Metadata(
            problems=(
                (1, f"its `# /// script` block is not read: {len(code):,} characters are too many"),
            )
        )
    text = code.replace("\r\n", "\n").replace("\r", "\n")
    begins = [found.start() for found in _BEGIN.finditer(text)]
    if not begins:
        return Metadata()
    first = text.count("\n", 0, begins[0]) + 1
    try:
        if len(begins) > 1:
            second = first + text.count("\n", begins[0], begins[1])
            raise _Broken(
                second, f"there is a second `# /// script` block; the first is on line {first}"
            )
        lines = _lines(text[begins[0] :], first)
        return _metadata(first, lines, _table(first, lines))
    except _Broken as error:
        return Metadata(line=first, problems=((error.line, str(error)[:MAX_MESSAGE]),))


def _lines(text: str, first: int) -> list[str]:
    """The TOML between the block's beginning and the last end that its comments reach. Raises _Broken."""
    found: list[str] = []
    end, size = None, 0
    for line in (
        text.split("\n")[1:] if len(text) <= MAX_BLOCK else text[: MAX_BLOCK + 1].split("\n")[1:]
    ):
        if not (line == "#" or line.startswith("# ")):
            break
        if line == _END:
            end = len(found)
        found.append(line[2:])
        size += len(line) + 1
    if end is None:
        too_long = size > MAX_BLOCK - MAX_LINE
        why = (
            f"is longer than {MAX_BLOCK:,} characters" if too_long else "has no end: a line `# ///`"
        )
        raise _Broken(first, f"the `# /// script` block {why}")
    return found[:end]


def _table(first: int, lines: list[str]) -> dict[str, Any]:
    for at, line in enumerate(lines, start=first + 1):
        if len(line) > MAX_LINE or line.count(".") > MAX_DOTS:
            raise _Broken(
                at,
                f"this line of the `# /// script` block has more than {MAX_LINE} characters or 200 dots",
            )
    try:
        return tomllib.loads("\n".join(lines))
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        at = int(place[1]) if place and place[1] else len(lines)
        reason = _PLACE.sub("", str(error))
        raise _Broken(
            first + max(at, 1), f"the `# /// script` block is no TOML: {reason}"
        ) from None
    except (
        RecursionError,
        ValueError,
        OverflowError,
    ):  # brackets by the thousand, a number of a thousand digits
        raise _Broken(first, "the `# /// script` block is no TOML that can be read") from None


def _metadata(first: int, lines: list[str], table: dict[str, Any]) -> Metadata:
    plain = Metadata(line=first, lines=tuple(lines))
    problems: list[tuple[int, str]] = []

    def said(key: str, value: object, is_right: bool, what: str) -> Any:
        if value is not None and not is_right:
            problems.append((plain.line_of(key), f"`{key}` has to be {what}"))
            return None
        return value

    named = table.get("dependencies")
    is_list = isinstance(named, list) and all(isinstance(each, str) for each in named)
    requirements = said("dependencies", named, is_list, "a list of texts")
    python = table.get("requires-python")
    python = said("requires-python", python, _is_specifier(python), "a text like `>=3.11`")
    tool = table.get("tool")
    tempo = tool.get("tempo") if isinstance(tool, dict) else None
    declared = tempo.get("parameters") if isinstance(tempo, dict) else None
    declared = said(
        "parameters", declared, isinstance(declared, dict), "a table: `[tool.tempo.parameters]`"
    )
    return Metadata(
        requirements=None if requirements is None else tuple(requirements),
        requires_python=python or "",
        parameters=declared,
        problems=tuple(problems),
        line=first,
        lines=plain.lines,
    )


def _is_specifier(value: object) -> bool:
    try:
        return (
            isinstance(value, str)
            and len(value) <= MAX_MESSAGE
            and bool(SpecifierSet(value) is not None)
        )
    except InvalidSpecifier:
        return False
