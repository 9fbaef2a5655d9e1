"""An explanation of a failed run: what went wrong in words, where in the script's code, and what can be done."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, TypedDict

from django.db import models

from runs_app.failures import actions, fingerprint, traceback_reader
from runs_app.failures.actions import Action
from runs_app.failures.own_code import OwnCode
from runs_app.failures.traceback_reader import Error, ErrorOutput, StackFrame, TracebackReport
from runs_app.states import Reason, Status

MAX_TITLE, MAX_DETAIL, MAX_HINT, MAX_CODE = 300, 1500, 500, 300  # characters
MAX_PARTS = 5  # of a group that are named
MAX_LINES = 3  # of a child's words, or behind the traceback
_HINT = "\nhint: "


class FailureKind(models.TextChoices):
    EXCEPTION = "exception"
    SYNTAX_ERROR = "syntax_error"
    MISSING_MODULE = "missing_module"
    SUBPROCESS = "subprocess"
    EXIT_TEXT = "exit_text"  # no traceback, but last words
    EXIT_CODE = "exit_code"  # neither
    CRASH = "crash"
    SIGNAL = "signal"
    LIMIT = "limit"
    ENVIRONMENT = "environment"
    COULD_NOT_START = "could_not_start"
    LOST = "lost"
    LOGGED = "logged"  # the run succeeded all the same


class FrameFields(TypedDict):
    file: str
    line: int
    function: str
    code: str


@dataclass(frozen=True, kw_only=True)
class RunEnd:
    """What a run's row says of its end; `sentence` may have a hint as its last line."""

    status: str
    reason: str
    sentence: str  # as lists say it where there is no explanation
    message: str = ""  # of the runner
    signal: str = ""
    exit_code: int | None = None

    @property
    def words(self) -> str:
        return self.sentence.partition(_HINT)[0]

    @property
    def hint(self) -> str:
        return self.sentence.partition(_HINT)[2]


@dataclass(frozen=True, kw_only=True)
class Explanation:
    title: str
    kind: str
    fingerprint: str
    detail: str = ""
    frame: StackFrame | None = None
    hint: str = ""
    actions: tuple[Action, ...] = ()
    last_line: str = ""  # of the traceback, as Python wrote it

    def as_json(self) -> dict[str, Any]:
        """Return the explanation as a run stores it."""
        return {
            "title": self.title,
            "detail": self.detail,
            "frame": asdict(self.frame) if self.frame else None,
            "kind": self.kind,
            "fingerprint": self.fingerprint,
            "hint": self.hint,
            "actions": list(self.actions),
            "last_line": self.last_line,
        }


KIND_OF_REASON = {
    Reason.TIME: FailureKind.LIMIT,
    Reason.MEMORY: FailureKind.LIMIT,
    Reason.MEMORY_SYSTEM: FailureKind.LIMIT,
    Reason.CPU: FailureKind.LIMIT,
    Reason.OUTPUT: FailureKind.LIMIT,
    Reason.PROCESSES: FailureKind.LIMIT,
    Reason.DISK: FailureKind.LIMIT,
    Reason.ENVIRONMENT: FailureKind.ENVIRONMENT,
    Reason.COULD_NOT_START: FailureKind.COULD_NOT_START,
    Reason.SYNTAX: FailureKind.COULD_NOT_START,
    Reason.INPUTS: FailureKind.COULD_NOT_START,
    Reason.RESTART: FailureKind.LOST,
}
_KIND_OF_ERROR = {
    "SyntaxError": FailureKind.SYNTAX_ERROR,
    "IndentationError": FailureKind.SYNTAX_ERROR,
    "TabError": FailureKind.SYNTAX_ERROR,
    "ModuleNotFoundError": FailureKind.MISSING_MODULE,
    "CalledProcessError": FailureKind.SUBPROCESS,
    "TimeoutExpired": FailureKind.SUBPROCESS,
}
_CRASHES = frozenset({"SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP"})
_SAME_AS_TRACEBACK = (
    "Exit code ",
    "No module named ",
)  # how the runner words what the traceback says


def explain(lines: Iterable[str], end: RunEnd, own: OwnCode) -> Explanation | None:
    """Explain a run's end by the last lines of its stderr; None for a success that logged no error.

    Takes a time in proportion to the length of the lines, whatever they hold, and never raises.
    """
    output = traceback_reader.read(lines)
    if end.status == Status.SUCCEEDED:
        return _logged(output, end, own)
    if Reason(end.reason) in KIND_OF_REASON:
        return _by_reason(output, end, own)
    if output.fatal or end.signal:
        return _by_signal(output, end, own)
    report = _telling_report(output)
    if report is not None:
        return _by_report(report, output, end, own)
    return _by_last_words(output, end)


def _telling_report(output: ErrorOutput) -> TracebackReport | None:
    # What did not end the script may still be why it gave up, unless it said so in words of its own.
    if output.report is not None:
        return output.report
    harmless = output.harmless
    if harmless is None or output.after:
        return None
    if harmless.is_of_shutdown and output.before:
        return None
    return harmless


def _logged(output: ErrorOutput, end: RunEnd, own: OwnCode) -> Explanation | None:
    report = output.report or output.harmless
    if report is None:
        return None
    found = _by_report(report, output, end, own)
    return replace(found, kind=FailureKind.LOGGED, actions=())


def _by_reason(output: ErrorOutput, end: RunEnd, own: OwnCode) -> Explanation:
    kind = KIND_OF_REASON[Reason(end.reason)]
    report = output.report if kind == FailureKind.LIMIT else None
    frames = _own_frames(report, own) if report else own.frames(output.dump)[::-1]
    last = report.last.headline if report else ""
    print_of = f"{end.reason} {end.status}" if kind == FailureKind.LIMIT else end.words
    return Explanation(
        title=_short(end.words, MAX_TITLE),
        detail=_short(last, MAX_DETAIL),
        frame=frames[-1] if frames and kind == FailureKind.LIMIT else None,
        kind=kind,
        fingerprint=fingerprint.of_sentence(kind, print_of),
        hint=_short(end.hint, MAX_HINT),
        actions=actions.of_failure(reason=end.reason, words=end.words, hint=end.hint, module=""),
        last_line=_short(last, MAX_TITLE),
    )


def _by_signal(output: ErrorOutput, end: RunEnd, own: OwnCode) -> Explanation:
    is_crash = bool(output.fatal) or end.signal in _CRASHES
    title = end.words
    if output.fatal:
        by = f" ({end.signal})" if end.signal else ""
        title = f"Crashed: {output.fatal}{by}"
    frames = own.frames(output.dump)[::-1]
    kind = FailureKind.CRASH if is_crash else FailureKind.SIGNAL
    return Explanation(
        title=_short(title, MAX_TITLE),
        detail=_short(end.words if end.message else "", MAX_DETAIL),
        frame=frames[-1] if frames else None,
        kind=kind,
        fingerprint=fingerprint.of_error([kind, end.signal, output.fatal], frames),
        hint=_short(end.hint, MAX_HINT),
        actions=actions.of_failure(reason=end.reason, words=end.words, hint=end.hint, module=""),
        last_line=_short(output.fatal, MAX_TITLE),
    )


def _by_report(
    report: TracebackReport, output: ErrorOutput, end: RunEnd, own: OwnCode
) -> Explanation:
    parts, last = report.parts, report.last
    told = parts[0] if len(parts) == 1 else last
    frames = _own_frames(report, own)
    kind = _KIND_OF_ERROR.get(_short_type(told), FailureKind.EXCEPTION)
    module = actions.missing_module(told.headline) if kind == FailureKind.MISSING_MODULE else ""
    hint = end.hint
    if module and not hint:
        hint = actions.where_to_get(module)
    types = [last.type, *sorted({part.type for part in parts})]
    if frames:
        print_of = fingerprint.of_error(types, frames)
    else:
        print_of = fingerprint.of_sentence(" ".join(types), told.message)
    return Explanation(
        title=_short(_title(told, module), MAX_TITLE),
        detail=_short("\n".join(_details(report, told, kind, output, end)), MAX_DETAIL),
        frame=_cut(frames[-1]) if frames else None,
        kind=kind,
        fingerprint=print_of,
        hint=_short(hint, MAX_HINT),
        actions=actions.of_failure(
            reason=end.reason, words=end.words, hint=end.hint, module=module
        ),
        last_line=_short(last.headline, MAX_TITLE),
    )


def _by_last_words(output: ErrorOutput, end: RunEnd) -> Explanation:
    words = [*output.before, *output.after]
    kind, title, print_of = FailureKind.EXIT_CODE, end.words, ""
    detail: list[str] = []
    if words:
        kind, title = FailureKind.EXIT_TEXT, words[-1]
        print_of = title
        detail = words[-1 - MAX_LINES : -1]
        if end.exit_code != 1:  # which `sys.exit` has for every text
            detail.insert(0, f"Exit code {end.exit_code}.")
    if end.message and not end.words.startswith(_SAME_AS_TRACEBACK):
        detail.insert(0, end.words)
    module = actions.missing_module(end.words)
    return Explanation(
        title=_short(title, MAX_TITLE),
        detail=_short("\n".join(detail), MAX_DETAIL),
        kind=kind,
        fingerprint=fingerprint.of_sentence(f"{kind} {end.exit_code}", print_of),
        hint=_short(end.hint, MAX_HINT),
        actions=actions.of_failure(
            reason=end.reason, words=end.words, hint=end.hint, module=module
        ),
        last_line=_short(words[-1] if words else "", MAX_TITLE),
    )


def _details(
    report: TracebackReport, told: Error, kind: FailureKind, output: ErrorOutput, end: RunEnd
) -> list[str]:
    lines = []
    if end.message and not end.words.startswith(_SAME_AS_TRACEBACK):
        lines.append(end.words)
    lines += told.more
    if told is not report.last:
        lines.append(f"In {report.last.headline}")
    else:
        lines += [part.headline for part in report.parts[:MAX_PARTS]]
        left = len(report.parts) - MAX_PARTS
        if left > 0:
            lines.append(f"and {left} more")
    cause = _first_other(report.causes, report.last)
    if cause:
        lines.append(f"It came from {cause.headline}")
    if kind == FailureKind.SUBPROCESS:
        lines += output.before[-MAX_LINES:]
    return [*lines, *output.after[-1:]]


def _first_other(causes: list[Error], last: Error) -> Error | None:
    # The first cause of all; the copy that came from another process says what the last error says.
    for cause in reversed(causes):
        if cause.headline and not (cause.is_remote and cause.message == last.message):
            return cause
    return None


def _own_frames(report: TracebackReport, own: OwnCode) -> list[StackFrame]:
    # An error of another process was raised there; this process only waited for it.
    remote = [cause for cause in report.causes if cause.is_remote]
    for error in [*report.parts, *remote, report.last, *report.causes]:
        frames = own.frames(error.frames)
        if frames:
            return frames
    return []


def _title(error: Error, module: str) -> str:
    if module:
        return f"{_short_type(error)}: no module `{module}`"
    if not error.type:
        return error.headline
    if not error.message:
        return _short_type(error)
    return f"{_short_type(error)}: {error.message}"


def _short_type(error: Error) -> str:
    return error.type.rpartition(".")[2]


def _cut(frame: StackFrame) -> StackFrame:
    return replace(frame, code=_short(frame.code, MAX_CODE))


def _short(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    return f"{text[: limit - 1]}…"
