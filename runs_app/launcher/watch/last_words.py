"""The end of a script's stderr, taken apart: the error that ended it, with those it came from, and all other lines."""

from typing import NamedTuple

from runs_app.launcher.watch import traceback_forms as forms

_MAX_LINE = 1000  # the patterns that look for a cause take time with the length of a line


class LastWords(NamedTuple):
    """Lines without margins. Of an error only the first line counts as such."""

    errors: list[str]  # that ended the script, the last one first
    lines: list[str]  # outside of tracebacks
    after: list[str]  # of these, the ones behind the errors


def read(stderr: bytes) -> LastWords:
    reader = _Reader()
    for line in stderr.decode(errors="replace").split("\n"):
        reader.read(line[:_MAX_LINE].rstrip())
    return LastWords(reader.errors[::-1], reader.lines, reader.after)


class _Reader:
    def __init__(self) -> None:
        self.errors: list[str] = []
        self.lines: list[str] = []
        self.after: list[str] = []
        self._is_in_traceback = False
        self._is_in_margin = False  # the traceback is one of an exception group
        self._is_joined = False  # the next traceback goes on with the error before it
        self._is_harmless = False  # the next error is
        self._was_harmless = False  # the last error was

    def read(self, raw: str) -> None:
        margin = None
        # A line of code may begin like a margin: `    + row["tax"],`.
        if not self._is_in_traceback or self._is_in_margin:
            margin = forms.MARGIN.match(raw)
        line = raw[margin.end() :] if margin else raw
        is_in_group = margin is not None and margin["bar"] == "|"
        if not line or forms.RULER.match(raw):
            return
        if line in forms.JOINTS:
            self._is_joined = True
            self._is_harmless = self._was_harmless
        elif forms.HARMLESS.match(line):
            self._is_harmless = True
        elif forms.TRACEBACK.match(line) or forms.FRAME.match(line):
            self._is_in_margin = margin is not None
            self._begin_traceback(is_in_group=is_in_group)
        elif line.startswith(" ") and self._is_in_traceback:
            return  # a line of code
        elif self._is_in_traceback or self._is_harmless or is_in_group:
            self._add_error(line)
        else:
            self.lines.append(line)
            self.after.append(line)

    def _begin_traceback(self, *, is_in_group: bool) -> None:
        is_first = not self._is_in_traceback and not self._is_harmless
        self._is_in_traceback = True
        if is_first and not self._is_joined and not is_in_group:
            self.errors = []
        self._is_joined = False

    def _add_error(self, line: str) -> None:
        self._is_in_traceback = False
        self._was_harmless = self._is_harmless
        self._is_harmless = False
        if not self._was_harmless:
            self.errors.append(line)
            self.after = []
