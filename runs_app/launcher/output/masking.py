"""Masking: the values of secrets leave a script's output before it is written anywhere, `••••` stands in their place.

A value is also found as JSON, Python's repr, a URL or base64 (alone, or anywhere in a longer text) have it, and each
line of one with several lines by itself. Values and lines of under four characters are not looked for.
"""

import binascii
import json
from collections.abc import Iterable, Iterator

MASK = "••••".encode()
MIN_LENGTH = 4  # characters
_MIN_BASE64 = 8
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~")

Secrets = dict[bytes, bytes]  # value by name
_Span = tuple[int, int]


class Mask:
    """What must not be seen. True if there is anything."""

    def __init__(self, secrets: Iterable[bytes]) -> None:
        forms = {form for secret in secrets for form in _forms_of(secret)}
        self.forms = sorted(forms, key=len, reverse=True)
        self._heads = sorted({form[:MIN_LENGTH] for form in self.forms})
        self._longest = max(map(len, self.forms), default=0)

    def __bool__(self) -> bool:
        return bool(self.forms)

    def text(self, sentence: str) -> str:
        """A sentence of Tempo's own, masked."""
        data = sentence.encode(errors="backslashreplace")
        for start, end in reversed(self.spans(data)):
            data = data[:start] + MASK + data[end:]
        return data.decode()

    def spans(self, data: bytes) -> list[_Span]:
        """Where secrets stand; those that overlap are one."""
        found = [span for form in self.forms if form in data for span in _occurrences(form, data)]
        return _merge(found) if found else found

    def may_begin(self, data: bytes) -> int:
        """Where the longest end of `data` begins with which a secret could begin; its length when there is none."""
        first = max(0, len(data) - self._longest + 1)
        rest = memoryview(data)
        for at in sorted({at for head in self._heads for at, _ in _occurrences(head, data, first)}):
            end = rest[at:]
            if any(
                len(end) < len(form) and memoryview(form)[: len(end)] == end for form in self.forms
            ):
                return at
        for at in range(max(first, len(data) - MIN_LENGTH + 1), len(data)):
            if any(head.startswith(data[at:]) for head in self._heads):
                return at
        return len(data)


class Masker:
    """Masks one stream, however it is cut into pieces. What may be the beginning of a secret is held back."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._held = b""
        self._shown = 0  # bytes of what is held that were given out already, as they are or masked
        self._is_masked = False  # whether the last of those were masked

    @property
    def is_holding(self) -> bool:
        """Whether `let_go()` would give out anything."""
        return len(self._held) > self._shown

    def feed(self, chunk: bytes) -> bytes:
        """What can be shown now that this has come."""
        data = self._held + chunk
        hold = self._mask.may_begin(data)
        parts, at = [], self._shown
        for start, end in self._mask.spans(data):
            if start >= hold:
                break
            if end > at:
                parts.append(data[at:start])  # empty when it began in what was shown
                parts.append(b"" if self._is_masked and start < at else MASK)
                at, self._is_masked = end, True
        if at < hold:
            parts.append(data[at:hold])
            at, self._is_masked = hold, False
        self._held, self._shown = data[hold:], at - hold
        return b"".join(parts)

    def let_go(self) -> bytes:
        """What is held back: nothing more may come. Of a possible secret at most three bytes become visible.

        Should the rest of it come nevertheless, that is masked.
        """
        rest = self._held[self._shown :]
        if not rest:
            return b""
        is_telling = len(self._held) >= MIN_LENGTH
        shown = (b"" if self._is_masked and self._shown else MASK) if is_telling else rest
        self._shown, self._is_masked = len(self._held), is_telling
        return shown


NO_MASK = Mask(())


def _forms_of(secret: bytes) -> Iterator[bytes]:
    """A secret as it may be written, and its lines."""
    text = secret.decode(
        errors="replace"
    ).strip()  # the line end of a pasted one is no secret, but ends a line
    for part in {text, *(line.strip() for line in text.splitlines())}:
        if len(part) >= MIN_LENGTH:
            yield from _encodings(part)
    if len(text) >= MIN_LENGTH:
        yield from _base64(secret)


def _encodings(text: str) -> Iterator[bytes]:
    plain = text.encode()
    yield plain
    for escaped in (
        json.dumps(text),
        json.dumps(text, ensure_ascii=False),
        repr(text),
        ascii(text),
    ):
        yield escaped[1:-1].encode()
    for kept, space in ((b"", b"%20"), (b"/", b"%20"), (b"", b"+")):
        yield b"".join(_percent(byte, kept, space) for byte in plain)


def _percent(byte: int, kept: bytes, space: bytes) -> bytes:
    if byte == 0x20:
        return space
    return bytes([byte]) if byte in _UNRESERVED or byte in kept else b"%%%02X" % byte


def _base64(secret: bytes) -> Iterator[bytes]:
    """The characters that are the same whatever stands before and behind it, for each of the three ways to align."""
    for shift in range(3):
        coded = binascii.b2a_base64(bytes(shift) + secret, newline=False)
        core = coded[-(-8 * shift // 6) : 8 * (shift + len(secret)) // 6]
        if len(core) >= _MIN_BASE64:
            yield core
            yield core.replace(b"+", b"-").replace(b"/", b"_")


def _occurrences(form: bytes, data: bytes, start: int = 0) -> Iterator[_Span]:
    at = data.find(form, start)
    while at >= 0:
        yield at, at + len(form)
        at = data.find(form, at + 1)


def _merge(spans: list[_Span]) -> list[_Span]:
    spans.sort()
    merged = [spans[0]]
    for start, end in spans[1:]:
        if start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
