"""The lines of requirements as pip reads a file, with comments and hashes, and what is said of one that is refused."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

# pip's rule: `#` begins a comment at the line's start or after white space.
_COMMENT = re.compile(r"(^|\s)#.*$")
_HASH = re.compile(r"\s--hash[= ](sha256:[0-9a-f]{64})(?=\s|\\|$)")


@dataclass(frozen=True, kw_only=True)
class RequirementLine:
    number: int  # from 1, of the first line where it is continued
    text: str  # without comment and hashes
    hashes: tuple[str, ...] = ()  # `sha256:...`


@dataclass(frozen=True, kw_only=True)
class RequirementHint:
    reason: str  # a sentence without its subject, which is the line
    instead: tuple[
        str, ...
    ] = ()  # the lines that were meant, which may need an explanation themselves
    hint: str = ""  # where no such line can be named


def read(text: str) -> Iterator[RequirementLine]:
    """Yield the lines that say something."""
    first = 0
    parts: list[str] = []
    for number, raw in enumerate(_plain_lines(text), start=1):
        line = _COMMENT.sub("", raw).strip()
        if parts and not line:  # the backslash before continued nothing
            yield _joined(first, [*parts[:-1], f"{parts[-1]} \\"])
            parts = []
        if not line:
            continue
        first = first if parts else number
        if line.endswith("\\"):
            parts.append(line[:-1].strip())
            continue
        yield _joined(first, [*parts, line])
        parts = []
    if parts:
        yield _joined(first, [*parts, "\\"])


def without_hashes(text: str) -> str:
    return _HASH.sub("", text)


def _plain_lines(text: str) -> list[str]:
    plain = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return plain.split("\n")


def _joined(number: int, parts: list[str]) -> RequirementLine:
    line = " ".join(parts)
    return RequirementLine(
        number=number,
        text=without_hashes(line).strip(),
        hashes=tuple(sorted(set(_HASH.findall(line)))),
    )
