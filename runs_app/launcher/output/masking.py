"""Masking: `••••` takes the place of secrets in a script's output before the output is written anywhere."""

# Each form of a secret (`secret_forms`) is looked for in the output, in what a terminal would show of it, and in that
# with its escapes resolved (`readings`).

from collections.abc import Iterable, Iterator

from runs_app.launcher.output import readings
from runs_app.launcher.output.readings import Reading
from runs_app.launcher.output.secret_forms import MIN_LENGTH, forms_of

MASK = "••••".encode()
# A character takes at most twelve bytes as an escape; beyond that, sequences within a secret are meant to hide it.
_MOST_BYTES_OF_ESCAPE = 12
_MOST_BYTES_OF_SEQUENCES = 4096

Secrets = dict[bytes, bytes]  # value by name
_Span = tuple[int, int]


class Mask:
    def __init__(self, secrets: Iterable[bytes]) -> None:
        forms = {form for secret in secrets for form in forms_of(secret)}
        self.forms = sorted(forms, key=len, reverse=True)
        self._heads = sorted({form[:MIN_LENGTH] for form in self.forms})
        self._longest = max(map(len, self.forms), default=0)

    def __bool__(self) -> bool:
        return bool(self.forms)

    def text(self, sentence: str) -> str:
        data = sentence.encode(errors="backslashreplace")
        for start, end in reversed(self.spans_and_hold(data)[0]):
            data = data[:start] + MASK + data[end:]
        return data.decode()

    def spans_and_hold(self, data: bytes) -> tuple[list[_Span], int]:
        """Return where secrets stand, and the offset of the longest end that could begin one, or the length."""
        spans = list(self._spans(data))
        hold = self._may_begin(data)
        far = len(data) - self._longest * _MOST_BYTES_OF_ESCAPE - _MOST_BYTES_OF_SEQUENCES
        for chain in _chains_of_readings(data):
            text = chain[-1].text
            spans += [_raw_span(chain, start, end) for start, end in self._spans(text)]
            begin = self._may_begin(text)
            at = _raw_begin(chain, begin, len(data))
            if at >= far:
                hold = min(hold, at)
        return _merge(spans), hold

    def begin(self, data: bytes) -> int:
        """Return the offset of the longest end of four bytes or more that could begin a secret, or the length."""
        at = self._long_begin(data)
        for chain in _chains_of_readings(data):
            text = chain[-1].text
            begin = self._long_begin(text)
            if begin < len(text):
                at = min(at, _raw_span(chain, begin, begin + 1)[0])
        return at

    def _spans(self, data: bytes) -> Iterator[_Span]:
        for form in self.forms:
            if form in data:
                yield from _occurrences(form, data)

    def _may_begin(self, data: bytes) -> int:
        at = self._long_begin(data)
        if at < len(data):
            return at
        first = max(0, len(data) - self._longest + 1)
        for at in range(max(first, len(data) - MIN_LENGTH + 1), len(data)):
            if any(head.startswith(data[at:]) for head in self._heads):
                return at
        return len(data)

    def _long_begin(self, data: bytes) -> int:
        first = max(0, len(data) - self._longest + 1)
        starts: set[int] = set()
        for head in self._heads:
            starts.update(at for at, _ in _occurrences(head, data, first))
        rest = memoryview(data)
        for at in sorted(starts):
            if self._is_begin_of_a_form(rest[at:]):
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
        spans, hold = self._mask.spans_and_hold(data)
        parts = []
        at = self._released
        for start, end in spans:
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
        held, released = self._held, self._released
        if released == len(held):
            return b""
        self._released = len(held)
        begin = self._mask.begin(held)
        if begin == len(held):
            self._is_masked = False
            return held[released:]
        is_continued = self._is_masked and released > begin
        self._is_masked = True
        return held[released:begin] + (b"" if is_continued else MASK)


NO_MASK = Mask(())


def _chains_of_readings(data: bytes) -> Iterator[list[Reading]]:
    # What is shown, and its escapes resolved: each reading with those that it was read out of.
    chain = []
    shown = readings.shown(data)
    if shown is not None:
        chain.append(shown)
        yield chain
    unescaped = readings.unescaped(shown.text if shown is not None else data)
    if unescaped is not None:
        yield [*chain, unescaped]


def _raw_span(chain: list[Reading], start: int, end: int) -> _Span:
    for reading in reversed(chain):
        start, end = reading.raw_span(start, end)
    return start, end


def _raw_begin(chain: list[Reading], begin: int, length: int) -> int:
    # Where in the output to hold back from: a possible secret, or a sequence whose end has not come yet.
    at = length
    if begin < len(chain[-1].text):
        at = _raw_span(chain, begin, begin + 1)[0]
    for depth, reading in enumerate(chain):
        if reading.is_unfinished:
            at = min(at, _raw_span(chain[:depth], reading.unfinished, reading.unfinished + 1)[0])
    return at


def _occurrences(form: bytes, data: bytes, start: int = 0) -> Iterator[_Span]:
    at = data.find(form, start)
    while at >= 0:
        yield at, at + len(form)
        at = data.find(form, at + 1)


def _merge(spans: list[_Span]) -> list[_Span]:
    if not spans:
        return spans
    spans.sort()
    merged = [spans[0]]
    for start, end in spans[1:]:
        if start < merged[-1][1]:
            last_start, last_end = merged[-1]
            merged[-1] = (last_start, max(end, last_end))
        else:
            merged.append((start, end))
    return merged
