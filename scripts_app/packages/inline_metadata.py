"""The PEP 723 block (`# /// script`) in the text of a script: read, never executed."""

import itertools
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

MAX_TEXT = 1024 * 1024  # characters
MAX_BLOCK = 32 * 1024  # characters
MAX_LINE = 4000  # characters
MAX_DOTS = 200  # in a line: tomllib takes quadratic time for dotted keys
MAX_MESSAGE = 300  # characters of a message
MAX_NOTES = 5
_BEGIN = re.compile(r"^# /// script[ \t]*$", re.MULTILINE)
_MISSPELT = re.compile(r"^#+[ \t]*/{2,4}[ \t]*script[ \t]*$", re.MULTILINE | re.IGNORECASE)
_END = "# ///"
_MISSPELT_END = re.compile(r"#+[ \t]*/{2,4}[ \t]*")
_PLACE = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$")
_UV_TABLE = re.compile(r"\s*\[{0,2}\s*tool\s*\.\s*[\"']?uv\b")
_KNOWN = ("dependencies", "requires-python", "tool")


@dataclass(frozen=True, kw_only=True)
class Metadata:
    requirements: tuple[str, ...] | None = None  # None without a list
    requires_python: str = ""
    parameters: Mapping[str, Any] | None = None  # None without a table
    # Lines (from 1, in the whole text) and messages: what nobody can read, and what Tempo does not.
    problems: tuple[tuple[int, str], ...] = ()
    notes: tuple[tuple[int, str], ...] = ()
    line: int = 0  # the first line of the block; 0 without a block
    lines: Sequence[str] = field(default=(), repr=False)

    def line_of(self, *names: str) -> int:
        """Return the line that seems to assign the last of the keys, or else the first line of the block."""
        key = re.escape(names[-1])
        assignment = re.compile(
            rf"\s*(?:\[[^\]]*\b{key}[\"']?\s*\]|(?:[\w.\"' -]*\.)?[\"']?{key}[\"']?\s*=)"
        )
        for number, line in enumerate(self.lines, start=self.line + 1):
            if assignment.match(line):
                return number
        return self.line


class _Broken(Exception):
    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


def read(code: str) -> Metadata:
    """Return the content and the problems of a text's block. Never raises, and takes some milliseconds at most."""
    text = code.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    likely_begin = _MISSPELT.search(text)
    if likely_begin is None:
        return Metadata()
    if len(code) > MAX_TEXT:
        message = f"its `# /// script` block is not read: {len(code):,} characters are too many"
        return Metadata(problems=((1, message),))
    starts = [match.start() for match in _BEGIN.finditer(text)]
    if not starts:
        line = text.count("\n", 0, likely_begin.start()) + 1
        written = likely_begin[0].strip()[:40]
        message = f"`{written}` does not begin a block: write `# /// script`"
        return Metadata(problems=((line, message),))
    first = text.count("\n", 0, starts[0]) + 1
    try:
        if len(starts) > 1:
            second = first + text.count("\n", starts[0], starts[1])
            message = f"there is a second `# /// script` block; the first is on line {first}"
            raise _Broken(second, message)
        lines = _block_lines(text[starts[0] :], first)
        return _metadata(first, lines, _parse(first, lines))
    except _Broken as error:
        problem = (error.line, str(error)[:MAX_MESSAGE])
        return Metadata(line=first, problems=(problem,))


def _block_lines(text: str, first: int) -> list[str]:
    # The block ends with the last `# ///` before a line that is no comment.
    raw_lines = text[: MAX_BLOCK + 1].split("\n")[1:]
    lines = list(itertools.takewhile(_is_block_line, raw_lines))
    if _END in lines:
        last = len(lines) - 1 - lines[::-1].index(_END)
        return [line[2:] for line in lines[:last]]
    if len(text) > MAX_BLOCK and len(lines) >= len(raw_lines) - 1:
        message = f"the `# /// script` block is longer than {MAX_BLOCK:,} characters"
        raise _Broken(first, message)
    for number, line in enumerate(lines, start=first + 1):
        if _MISSPELT_END.fullmatch(line):
            raise _Broken(number, _no_end(line))
    _explain_stop(raw_lines, len(lines), first)
    raise _Broken(first, "the `# /// script` block has no end: a line `# ///`")


def _no_end(line: str) -> str:
    if line.rstrip() == _END:
        return "a space behind `# ///` keeps it from ending the block"
    return f"`{line.strip()[:40]}` does not end the block: write `# ///`"


def _is_block_line(line: str) -> bool:
    return line == "#" or line.startswith("# ")


def _explain_stop(raw_lines: list[str], stop: int, first: int) -> None:
    """Raise _Broken when it is the line at `stop` that keeps a block from its end."""
    if stop == len(raw_lines):
        return
    line = raw_lines[stop]
    number = first + 1 + stop
    if _MISSPELT_END.fullmatch(line):
        raise _Broken(number, _no_end(line))
    if _END not in (later.rstrip() for later in raw_lines[stop:]):
        return
    why = "does not begin with `#` as the lines of a block do"
    if line.startswith("#"):
        why = "has no space behind its `#`"
    raise _Broken(number, f"this line of the `# /// script` block {why}")


def _parse(first: int, lines: list[str]) -> dict[str, Any]:
    for number, line in enumerate(lines, start=first + 1):
        if len(line) > MAX_LINE or line.count(".") > MAX_DOTS:
            limits = f"{MAX_LINE} characters or 200 dots"
            raise _Broken(number, f"this line of the `# /// script` block has more than {limits}")
    try:
        return tomllib.loads("\n".join(lines))
    except tomllib.TOMLDecodeError as error:
        raise _broken_toml(first, lines, error) from None
    except (RecursionError, ValueError, OverflowError):  # thousands of brackets or digits
        raise _Broken(first, "the `# /// script` block is no TOML that can be read") from None


def _broken_toml(first: int, lines: list[str], error: tomllib.TOMLDecodeError) -> _Broken:
    message = str(error)
    line = len(lines)
    place = _PLACE.search(message)
    if place and place[1]:
        line = int(place[1])
    reason = _PLACE.sub("", message)
    return _Broken(first + max(line, 1), f"the `# /// script` block is no TOML: {reason}")


def _metadata(first: int, lines: list[str], table: dict[str, Any]) -> Metadata:
    plain = Metadata(line=first, lines=tuple(lines))
    problems: list[tuple[int, str]] = []

    def check(key: str, value: object, is_valid: bool, expected: str) -> Any:
        if value is None or is_valid:
            return value
        problems.append((plain.line_of(key), f"`{key}` has to be {expected}"))
        return None

    dependencies = table.get("dependencies")
    is_list = _is_list_of_texts(dependencies)
    requirements = check("dependencies", dependencies, is_list, "a list of texts")
    python = table.get("requires-python")
    python = check("requires-python", python, _is_specifier(python), "a text like `>=3.11`")
    parameters = _declared_parameters(table)
    is_table = isinstance(parameters, dict)
    parameters = check("parameters", parameters, is_table, "a table: `[tool.tempo.parameters]`")
    return Metadata(
        requirements=None if requirements is None else tuple(requirements),
        requires_python=python or "",
        parameters=parameters,
        problems=tuple(problems),
        notes=tuple(_notes(plain, table)),
        line=first,
        lines=plain.lines,
    )


def _notes(block: Metadata, table: dict[str, Any]) -> Iterator[tuple[int, str]]:
    tool = table.get("tool")
    if isinstance(tool, dict) and "uv" in tool:
        numbers = enumerate(block.lines, start=block.line + 1)
        line = next((number for number, text in numbers if _UV_TABLE.match(text)), block.line)
        yield line, "`[tool.uv]` is not read: Tempo has an index and locks of its own"
    unknown = [key for key in table if key not in _KNOWN]
    for key in unknown[:MAX_NOTES]:
        known = ", ".join(f"`{name}`" for name in _KNOWN)
        yield block.line_of(key), f"`{key[:40]}` is not read: a block has {known}"


def _declared_parameters(table: dict[str, Any]) -> Any:
    tool = table.get("tool")
    if not isinstance(tool, dict):
        return None
    tempo = tool.get("tempo")
    if not isinstance(tempo, dict):
        return None
    return tempo.get("parameters")


def _is_list_of_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_specifier(value: object) -> bool:
    if not isinstance(value, str) or len(value) > MAX_MESSAGE:
        return False
    try:
        SpecifierSet(value)
    except InvalidSpecifier:
        return False
    return True
