"""The tracebacks in the lines of a script's stderr: chains, groups, syntax errors, those of other processes, dumps."""

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from runs_app.launcher.watch import traceback_forms as forms

MAX_PLAIN_LINES = 20
MAX_MORE_LINES = 10  # of an error's message behind its first line
MAX_FRAMES = 500  # the innermost of an error
_REMOTE = re.compile(r"^[\w.]+\.(?:_?RemoteTraceback):$")
_QUOTES = ('"""', "'''")
_CARETS = re.compile(r"^[\s~^]+$")
_FATAL = "Fatal Python error: "
_DUMP = re.compile(r"^(?:Current thread 0x|Stack \(most recent).*\(?most recent call first\):$")
_DUMP_FRAME = re.compile(r'^  File "(?P<file>[^"]+)", line (?P<line>\d+) in (?P<function>.+)$')
_HEADLINE = re.compile(r"^(?P<type>[A-Za-z_][\w.<>]*)(?:: (?P<message>.*))?$")
_ERROR_TYPE = re.compile(r"^[\w.]*(?:Error|Exception|Warning|Exit|Interrupt)(?::|$)")
_MAX_DIGITS = 9  # of a line's number


@dataclass(frozen=True, kw_only=True)
class StackFrame:
    file: str
    line: int
    function: str
    code: str = ""  # "" where the traceback does not show it


@dataclass(kw_only=True)
class Error:
    """An error with its frames, the outermost first; `depth` counts the exception groups that it lies in."""

    depth: int
    is_in_margin: bool = False
    is_joined: bool = False  # the error before it is its cause or was being handled
    is_remote: bool = False  # in another process
    headline: str = ""
    more: list[str] = field(default_factory=list)
    frames: deque[StackFrame] = field(default_factory=lambda: deque(maxlen=MAX_FRAMES))

    @property
    def type(self) -> str:
        found = _HEADLINE.match(self.headline)
        return found["type"] if found else ""

    @property
    def message(self) -> str:
        found = _HEADLINE.match(self.headline)
        return (found["message"] or "") if found else self.headline


@dataclass(kw_only=True)
class TracebackReport:
    """A traceback as Python prints it: errors in their order on paper, the first cause first."""

    errors: list[Error]
    opening: str = ""  # the line that says that it ended nothing

    @property
    def is_of_shutdown(self) -> bool:
        return self.opening.startswith(("Exception ignored", "Error in atexit"))

    @property
    def last(self) -> Error:
        """The error that was raised in the end; of a group the group itself."""
        outermost = min(error.depth for error in self.errors)
        return [error for error in self.errors if error.depth == outermost][-1]

    @property
    def causes(self) -> list[Error]:
        """What came before the last error, the nearest first; neither groups' parts nor the error's own copy."""
        last = self.last
        found = []
        for error in self.errors:
            if error.depth == last.depth and error is not last:
                found.append(error)
        return found[::-1]

    @property
    def parts(self) -> list[Error]:
        """The errors in the last group that are no groups themselves, without their causes."""
        inside = self.errors[self.errors.index(self.last) + 1 :]
        found = []
        for position, error in enumerate(inside):
            following = inside[position + 1 : position + 2]
            is_group = any(other.depth > error.depth for other in following)
            is_cause = any(other.is_joined for other in following)
            if not is_group and not is_cause:
                found.append(error)
        return found


@dataclass(kw_only=True)
class ErrorOutput:
    """What stderr says: the traceback that ended the script, one that did not, a dump of its stack, other lines."""

    report: TracebackReport | None = None
    harmless: TracebackReport | None = None
    fatal: str = ""  # faulthandler's reason
    dump: list[StackFrame] = field(default_factory=list)  # the innermost first
    before: list[str] = field(default_factory=list)  # plain lines up to the last traceback
    after: list[str] = field(default_factory=list)  # plain lines behind it


def read(lines: Iterable[str]) -> ErrorOutput:
    """Read lines of stderr, the last traceback counts. Takes a time in proportion to their length; never raises."""
    reader = _TracebackReader()
    for line in lines:
        reader.read(line)
    return reader.found()


class _TracebackReader:
    def __init__(self) -> None:
        self.output = ErrorOutput()
        self.before: deque[str] = deque(maxlen=MAX_PLAIN_LINES)
        self.after: deque[str] = deque(maxlen=MAX_PLAIN_LINES)
        self.report: TracebackReport | None = None
        self.error: Error | None = None  # the one whose lines are being read
        self.is_in_frames = False
        self.is_in_message = False
        self.is_in_dump = False
        self.is_joined = False  # the next error belongs to the one before
        self.opening = ""  # of the next report
        self.is_remote = False
        self.is_part = False  # a ruler announced a part of a group
        self.is_outermost_group = False  # the line has the margin `  + `

    def found(self) -> ErrorOutput:
        for report in (self.output.report, self.output.harmless):
            if report:  # a traceback may have been cut off
                report.errors = [error for error in report.errors if error.headline]
        self.output.before = list(self.before)
        self.output.after = list(self.after)
        return self.output

    def read(self, raw: str) -> None:
        line, depth = raw, 0
        # A line of code may begin like a margin: `    + row["tax"],`.
        is_code = self.is_in_frames and self.error is not None and not self.error.is_in_margin
        if raw.startswith("  ") and not is_code:
            if margin := forms.MARGIN.match(raw):
                line, depth = raw[margin.end() :], len(margin["indent"]) // 2
                self.is_outermost_group = margin["bar"] == "+"
            elif ruler := forms.RULER.match(raw):
                self.is_part = (ruler["number"] or "").isdecimal()
                return
        if not line:
            self.is_in_message = False
            self.is_in_dump = False
        elif not line.startswith(" ") or not self._read_indented(line, depth):
            self._read_line(line, depth)

    def _read_indented(self, line: str, depth: int) -> bool:
        frame = forms.FRAME.fullmatch(line)
        if frame:
            if not self.is_in_frames:  # a syntax error of the program itself has no header
                self._begin(depth)
            self._add_frame(frame)
            return True
        if self.is_in_dump:
            found = _DUMP_FRAME.match(line)
            if found and len(self.output.dump) < MAX_FRAMES:
                self.output.dump.append(_frame(found["file"], found["line"], found["function"]))
            return True
        if self.is_in_frames:
            self._add_code(line)
        return self.is_in_frames

    def _read_line(self, line: str, depth: int) -> None:
        self.is_in_dump = False
        if forms.TRACEBACK.match(line):
            self._begin(depth)
        elif self.is_in_frames and self.error:
            self._end(line)
        elif line in forms.JOINTS:
            self._join()
        elif forms.HARMLESS.match(line):
            self.opening = line
            self.is_in_message = False
        elif _REMOTE.match(line):
            self.is_remote = True
        elif self.is_part and depth and self.report:
            self._begin(depth)  # a part that was never raised
            self._end(line)
        elif line.startswith(_FATAL):
            self.output.fatal = line.removeprefix(_FATAL)
        elif _DUMP.match(line):
            self.is_in_dump = True
            self.output.dump = []
        else:
            self._add_plain(line)

    def _begin(self, depth: int) -> None:
        is_new = not (self.is_joined or self.is_part) or self.report is None
        if is_new:
            self._begin_report()
        assert self.report
        self.error = Error(
            depth=0 if self.is_outermost_group else depth,
            is_in_margin=depth > 0,
            is_joined=self.is_joined,
            is_remote=self.is_remote,
        )
        self.is_outermost_group = False
        self.report.errors.append(self.error)
        self.is_in_frames = True
        self.is_in_message = self.is_joined = self.is_part = False

    def _begin_report(self) -> None:
        self.report = TracebackReport(errors=[], opening=self.opening)
        self.opening = ""
        self.before.extend(self.after)
        self.after.clear()

    def _add_frame(self, found: re.Match[str]) -> None:
        assert self.error
        self.error.frames.append(_frame(found["file"], found["line"], found["function"] or ""))

    def _add_code(self, line: str) -> None:
        if not self.error or not self.error.frames or _CARETS.match(line):
            return
        frame = self.error.frames[-1]
        if not frame.code and not line.lstrip().startswith("["):  # [Previous line repeated ...]
            code = line.strip()
            self.error.frames[-1] = StackFrame(
                file=frame.file, line=frame.line, function=frame.function, code=code
            )

    def _end(self, headline: str) -> None:
        assert self.error and self.report
        self.error.headline = headline
        self.is_in_frames = False
        self.is_in_message = True
        if self.report.opening:
            self.output.harmless = self.report
        else:
            self.output.report = self.report

    def _join(self) -> None:
        self.is_joined = True
        self.is_remote = False
        is_line_alone = bool(self.after) and _ERROR_TYPE.match(self.after[-1])
        if self.report is None or is_line_alone:  # the cause was never raised: it has no frames
            headline = self.after.pop() if self.after else ""
            self._begin_report()
            assert self.report
            self.report.errors.append(Error(depth=0, headline=headline))

    def _add_plain(self, line: str) -> None:
        if line in _QUOTES:
            return
        self.is_remote = False
        # What stands behind an error that ended nothing is more likely the end than the rest of its message.
        is_message = self.is_in_message and self.report and not self.report.opening
        if is_message and self.error and len(self.error.more) < MAX_MORE_LINES:
            self.error.more.append(line)
        else:
            self.after.append(line)


def _frame(file: str, line: str, function: str) -> StackFrame:
    return StackFrame(file=file, line=int(line[:_MAX_DIGITS]), function=function)
