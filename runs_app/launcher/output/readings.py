"""Readings of output: as a terminal shows it, and with the escapes of JSON, URLs and HTML resolved."""

import re
from bisect import bisect_right
from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import NamedTuple

# Each alternative begins with a letter of its own, so that `re` passes quickly over what is none. At the end of the
# output stands perhaps the begin of one: what follows it decides what it is.
# What the page drops too (`static/js/lib/ansi.js`): colours and the like, titles and links, other messages, the rest.
_UNFINISHED_SEQUENCE = rb"""
    \x1b (?: \[ [0-?]* [\ -/]* | \] [^\x07\x1b\n]{0,2000} \x1b? | [PX^_] [^\x1b\n]{0,2000} \x1b? | [\ -/]* ) \Z
    | \xc2 \Z
"""
_SEQUENCE = (
    rb"\x1b \[ [0-?]* [\ -/]* [@-~] |"
    + _UNFINISHED_SEQUENCE
    + rb"""
    | \x1b \] [^\x07\x1b\n]{0,2000} (?: \x07 | \x1b\\ )?
    | \x1b [PX^_] [^\x1b\n]{0,2000} (?: \x1b\\ )?
    | \x1b [\ -/]* [0-~]
    | \xc2 [\x80-\x9f]
"""
)
_sequence = re.compile(_SEQUENCE, re.VERBOSE)
_sequence_at_end = re.compile(_UNFINISHED_SEQUENCE, re.VERBOSE)
_sequence_or_control = re.compile(_SEQUENCE + rb"| [\x00-\x08\x0b-\x1f\x7f]", re.VERBOSE)
_LONGEST_SEQUENCE = 2100
_CONTROL = bytes([*range(0x09), *range(0x0B, 0x20), 0x7F])

# `H` stands for a hexadecimal digit. A character beyond U+FFFF is a pair of `\uXXXX`.
_UNFINISHED_ESCAPE = rb"""
    \\ (?: u[dD][89abAB]HH (?: \\ (?:uH{0,3})? )? | uH{0,3} | xH? )? \Z
    | % H? \Z
    | & (?: \#[0-9]{0,7} | \#[xX]H{0,6} | [a-zA-Z]{0,6}[0-9]{0,2} ) \Z
""".replace(b"H", b"[0-9a-fA-F]")
_ESCAPE = rb"""
    \\ u[dD][89abAB]HH \\ u[dD][c-fC-F]HH
    | \\ u (?! [dD][89abAB]HH (?: \\ (?:uH{0,3})? )? \Z ) HHHH
    | \\ xHH
    | \\ [\\/"'bfnrt]
    | % HH
    | & (?: \#[0-9]{1,7} | \#[xX]H{1,6} | [a-zA-Z]{2,6}[0-9]{0,2} ) ;
""".replace(b"H", b"[0-9a-fA-F]")
_escape = re.compile(_ESCAPE + b"|" + _UNFINISHED_ESCAPE, re.VERBOSE)
_escape_at_end = re.compile(_UNFINISHED_ESCAPE, re.VERBOSE)
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_LATIN_1 = """
    nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro
    para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil
    Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave
    Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml
    igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute
    thorn yuml
"""
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_ENTITIES |= zip(_LATIN_1.split(), map(chr, range(0xA0, 0x100)), strict=True)


class _Unit(NamedTuple):
    """A sequence or escape: its place in the reading, where it may be empty, and in what was read."""

    start: int
    end: int
    raw_start: int
    raw_end: int


class Reading:
    """A text that is read out of another one, with the way back to the offsets there."""

    def __init__(
        self,
        raw: bytes,
        text: bytes,
        pattern: re.Pattern[bytes],
        resolve: Callable[[re.Match[bytes]], bytes],
        *,
        unfinished: int,
    ) -> None:
        self.text = text
        self.unfinished = unfinished  # where a sequence begins whose end has not come yet
        self.is_unfinished = unfinished < len(raw)
        self._raw, self._pattern, self._resolve = raw, pattern, resolve

    def raw_span(self, start: int, end: int) -> tuple[int, int]:
        """Return where the bytes from `start` to `end`, one at least, stand in what was read."""
        return self._raw_byte(start)[0], self._raw_byte(end - 1)[1]

    def _raw_byte(self, at: int) -> tuple[int, int]:
        index = bisect_right(self._units, at, key=lambda unit: unit.start) - 1
        if index < 0:
            return at, at + 1
        unit = self._units[index]
        if at < unit.end:
            return unit.raw_start, unit.raw_end
        raw = unit.raw_end + at - unit.end
        return raw, raw + 1

    @cached_property
    def _units(self) -> list[_Unit]:
        # Only for a text in which something was found.
        units = []
        raw_end = size = 0
        for found in self._pattern.finditer(self._raw):
            start = size + found.start() - raw_end
            raw_end = found.end()
            size = start + len(self._resolve(found))
            units.append(_Unit(start, size, found.start(), raw_end))
        return units


def shown(data: bytes) -> Reading | None:
    """Return output without a terminal's sequences and control characters; None when there are none in it."""
    text = data
    if b"\x1b" in data or b"\xc2" in data:
        text = _sequence.sub(b"", data)
    text = text.translate(None, _CONTROL)
    if len(text) == len(data):
        return None
    found = _sequence_at_end.search(data, max(0, len(data) - _LONGEST_SEQUENCE))
    unfinished = found.start() if found else len(data)
    return Reading(data, text, _sequence_or_control, lambda _: b"", unfinished=unfinished)


def unescaped(data: bytes) -> Reading | None:
    r"""Return output with `\uXXXX`, `\/`, `%2f`, `&amp;` and the like resolved once; None when there are none in it."""
    if b"\\" not in data and b"%" not in data and b"&" not in data:
        return None
    text, count = _escape.subn(_resolve, data)
    if not count:
        return None
    return Reading(data, text, _escape, _resolve, unfinished=_begin_of_last_escape(data))


def _begin_of_last_escape(data: bytes) -> int:
    # One whose end has not come, or the length. Looked for from the line's begin on: of two backslashes, the second
    # begins nothing.
    for found in _escape.finditer(data, data.rfind(b"\n") + 1):
        if _escape_at_end.fullmatch(data, found.start()):
            return found.start()
    return len(data)


def _resolve(found: re.Match[bytes]) -> bytes:
    return _resolved(found[0])


@lru_cache(maxsize=512)
def _resolved(escape: bytes) -> bytes:
    if _escape_at_end.fullmatch(escape):
        return b""
    first, rest = escape[:1], escape[1:].decode()
    if first == b"%" or rest[0] == "x":
        return bytes.fromhex(rest.removeprefix("x"))
    if first == b"&":
        return _entity(rest.removesuffix(";")) or escape
    if rest[0] != "u":
        return _LETTERS.get(rest, rest).encode()
    codes = [int(part, 16) for part in rest[1:].split("\\u")]
    if len(codes) == 1:
        return _character(codes[0])
    return _character(0x10000 + (codes[0] - 0xD800) * 0x400 + codes[1] - 0xDC00)


def _entity(name: str) -> bytes:
    if name[:2].lower() == "#x":
        return _character(int(name[2:], 16))
    if name[0] == "#":
        return _character(int(name[1:]))
    return _ENTITIES.get(name, "").encode()


def _character(code: int) -> bytes:
    # No character for a lonely half of a pair, or a number beyond the last one.
    if code > 0x10FFFF:
        return b""
    return chr(code).encode(errors="replace")
