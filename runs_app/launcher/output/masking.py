"""Masking: `••••` takes the place of secrets in a script's output before the output is written anywhere."""

# A value is also found in the forms of JSON, Python's repr, a URL or base64 (alone, or anywhere in a longer text), and
# each line of a value with several lines by itself. Values and lines of under four characters are not looked for.

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
    def __init__(self, secrets: Iterable[bytes]) -> None:
        forms = {form for secret in secrets for form in _forms_of(secret)}
        self.forms = sorted(forms, key=len, reverse=True)
        self._heads = sorted({form[:MIN_LENGTH] for form in self.forms})
        self._longest = max(map(len, self.forms), default=0)

    def __bool__(self) -> bool:
        return bool(self.forms)

    def text(self, sentence: str) -> str:
        data = sentence.encode(errors="backslashreplace")
        for start, end in reversed(self.spans(data)):
            data = data[:start] + MASK + data[end:]
        return data.decode()

    def spans(self, data: bytes) -> list[_Span]:
        spans: list[_Span] = []
        for form in self.forms:
            if form in data:
                spans.extend(_occurrences(form, data))
        return _merge(spans) if spans else spans

    def may_begin(self, data: bytes) -> int:
        """Return the offset of the longest end of `data` that could begin a secret, or the length of `data`."""
        first = max(0, len(data) - self._longest + 1)
        starts: set[int] = set()
        for head in self._heads:
            starts.update(at for at, _ in _occurrences(head, data, first))
        rest = memoryview(data)
        for at in sorted(starts):
            if self._is_begin_of_a_form(rest[at:]):
                return at
        for at in range(max(first, len(data) - MIN_LENGTH + 1), len(data)):
            if any(head.startswith(data[at:]) for head in self._heads):
                return at
        return len(data)

    def _is_begin_of_a_form(self, end: memoryview) -> bool:
        longer = (form for form in self.forms if len(form) > len(end))
        return any(memoryview(form)[: len(end)] == end for form in longer)


class Masker:
    """Masks a stream, however the stream is cut into pieces; holds back bytes that may begin a secret."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._held = b""
        self._released = 0  # of the bytes held, these were given out already, as they are or masked
        self._is_masked = False  # whether the last bytes given out were masked

    @property
    def is_holding(self) -> bool:
        return len(self._held) > self._released

    def feed(self, chunk: bytes) -> bytes:
        data = self._held + chunk
        hold = self._mask.may_begin(data)
        parts = []
        at = self._released
        for start, end in self._mask.spans(data):
            if start >= hold:
                break
            if end > at:
                parts.append(data[at:start])  # empty when the secret began in bytes given out
                if start >= at or not self._is_masked:
                    parts.append(MASK)
                at = end
                self._is_masked = True
        if at < hold:
            parts.append(data[at:hold])
            at = hold
            self._is_masked = False
        self._held = data[hold:]
        self._released = at - hold
        return b"".join(parts)

    def release(self) -> bytes:
        """Return the bytes held back, as no more may come; a possible secret of four bytes or more is masked."""
        # Should the rest of the secret come nevertheless, the rest is masked.
        rest = self._held[self._released :]
        if not rest:
            return b""
        was_masked = self._is_masked and self._released > 0
        self._is_masked = len(self._held) >= MIN_LENGTH
        self._released = len(self._held)
        if not self._is_masked:
            return rest
        return b"" if was_masked else MASK


NO_MASK = Mask(())


def _forms_of(secret: bytes) -> Iterator[bytes]:
    # The line end of a pasted secret is none, but ends a line.
    text = secret.decode(errors="replace").strip()
    for part in {text, *(line.strip() for line in text.splitlines())}:
        if len(part) >= MIN_LENGTH:
            yield from _encodings(part)
    if len(text) >= MIN_LENGTH:
        yield from _base64(secret)


def _encodings(text: str) -> Iterator[bytes]:
    plain = text.encode()
    yield plain
    for quoted in (
        json.dumps(text),
        json.dumps(text, ensure_ascii=False),
        repr(text),
        ascii(text),
    ):
        yield quoted[1:-1].encode()
    for unescaped, space in ((b"", b"%20"), (b"/", b"%20"), (b"", b"+")):
        yield b"".join(_percent_encode(byte, unescaped, space) for byte in plain)


def _percent_encode(byte: int, unescaped: bytes, space: bytes) -> bytes:
    if byte == 0x20:
        return space
    if byte in _UNRESERVED or byte in unescaped:
        return bytes([byte])
    return b"%%%02X" % byte


def _base64(secret: bytes) -> Iterator[bytes]:
    # The characters that are the same whatever stands before and after, for each of the three ways to align.
    for shift in range(3):
        encoded = binascii.b2a_base64(bytes(shift) + secret, newline=False)
        core = encoded[-(-8 * shift // 6) : 8 * (shift + len(secret)) // 6]
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
            last_start, last_end = merged[-1]
            merged[-1] = (last_start, max(end, last_end))
        else:
            merged.append((start, end))
    return merged
