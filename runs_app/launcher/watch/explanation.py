"""The end in words: why a run failed, from the numbers and the last lines of stderr together."""

import os
from collections.abc import Iterable

from runs_app.launcher.spec import IsolationSpec, Spec
from runs_app.launcher.watch import clues, failure_hints, last_words, memory_refusal
from runs_app.launcher.watch.last_words import LastWords
from runs_app.launcher.watch.verdict import Cause, ExitFacts, killed_by

_MIB = 1 << 20
_MAX_LINE = 200
_GIVEN_UP = ("SIGABRT", "SIGTRAP")  # how libraries end a process that gets no memory
_EVERYBODYS = ("/tmp", "/var/tmp")


def explain(facts: ExitFacts, spec: Spec, stderr: bytes) -> ExitFacts:
    if facts.cause:
        place, refusal = _place(facts.cause, spec, stderr), _refused_thread(facts, spec, stderr)
        facts = facts._replace(message=_join(facts.message, place, refusal))
        return _with_peak(facts, spec)
    if facts.wait_status is None or facts.wait_status == 0:
        return facts
    refused = memory_refusal.cause(facts, spec.limits, stderr)
    if refused:
        return facts._replace(cause=refused)
    if killed_by(facts.wait_status):
        return _explain_signal(facts, spec, stderr)
    return _explain_exit(facts, spec, stderr)


def _refused_thread(facts: ExitFacts, spec: Spec, stderr: bytes) -> str:
    # A script whose threads did not all start may wait for the others for ever.
    if facts.cause is None or facts.cause.reason != "time":
        return ""
    return memory_refusal.refused_thread(facts, spec.limits, stderr)


def _with_peak(facts: ExitFacts, spec: Spec) -> ExitFacts:
    # One figure for a run: what it used when it was looked at is less than what it used until it was killed.
    if facts.cause is None or facts.cause.reason != "memory":
        return facts
    peak, limit = facts.peak_bytes / _MIB, spec.limits.memory_bytes // _MIB
    sentence = f"Used {peak:.0f} MB of memory, limit {limit} MB"
    if not facts.is_peak_exact:
        sentence += " (shared pages counted for each process)"
    return facts._replace(cause=facts.cause._replace(sentence=sentence))


def _place(cause: Cause, spec: Spec, stderr: bytes) -> str:
    if cause.reason not in ("time", "cpu"):
        return ""
    frame = failure_hints.where_it_hung(stderr, home=spec.cwd)
    if frame is None:
        return ""
    file = os.path.basename(frame.file)
    return f"it stood at `{file}` line {frame.line}, in `{frame.function}`"


def _explain_signal(facts: ExitFacts, spec: Spec, stderr: bytes) -> ExitFacts:
    name = killed_by(facts.wait_status)
    if name == "SIGKILL" and facts.was_out_of_memory:
        reason = "memory had run out, for the system or for the container"
        cause = Cause("failed", "memory_system", f"The kernel ended it because {reason}")
        return facts._replace(cause=cause)
    if name == "SIGXFSZ":
        return facts._replace(message=_join(facts.message, _file_size(spec)))
    lines = failure_hints.telling_lines(last_words.read(stderr))
    if name in _GIVEN_UP and spec.limits.memory_bytes and failure_hints.ran_out_of_memory(lines):
        return facts._replace(cause=_refused_memory(facts, spec))
    return facts


def _explain_exit(facts: ExitFacts, spec: Spec, stderr: bytes) -> ExitFacts:
    words = last_words.read(stderr)
    lines = failure_hints.telling_lines(words)
    limits = spec.limits
    if limits.memory_bytes and failure_hints.ran_out_of_memory(lines):
        return facts._replace(cause=_refused_memory(facts, spec))
    refused_limit = failure_hints.refused_limit(lines)
    if refused_limit == "processes" and limits.processes:
        sentence = f"Was refused another process or thread, limit {limits.processes} processes"
        return facts._replace(cause=Cause("failed", "processes", sentence))
    clue = (
        _refused_files(refused_limit, spec)
        or clues.known_cause(lines)
        or _closed_paths(spec, lines)
        or _missing_module(lines)
        or _headline(facts, words)
    )
    return facts._replace(message=_join(facts.message, clue))


def _refused_memory(facts: ExitFacts, spec: Spec) -> Cause:
    peak = "started small"
    if facts.peak_bytes:
        peak = f"used {facts.peak_bytes / _MIB:.0f} MB"
    limit = f"its limit of {spec.limits.memory_bytes // _MIB} MB"
    sentence = f"Asked for more memory than {limit} allows ({peak} before)"
    hint = "hint: raise the memory limit, read files in parts, or start fewer threads"
    return Cause("failed", "memory", f"{sentence}\n{hint}")


def _refused_files(refused_limit: str | None, spec: Spec) -> str:
    if refused_limit == "file_size":
        return _file_size(spec)
    if refused_limit == "open_files" and spec.limits.open_files:
        return f"It had the most open files that are allowed: {spec.limits.open_files}"
    return ""


def _file_size(spec: Spec) -> str:
    limit = spec.limits.file_bytes
    if not limit:
        return ""
    return f"A file grew past the limit of {limit // _MIB} MB for each file"


def _closed_paths(spec: Spec, lines: list[str]) -> str:
    paths = failure_hints.denied_paths(lines)
    if not paths or spec.isolation is None:
        return ""
    closed = [path for path in paths if not _is_open(path, spec)]
    if not closed:
        return (
            f"The mode of `{paths[0]}` does not allow that, or its disk is mounted `noexec`\n"
            "hint: a script may change the mode of its own files: `os.chmod(path, 0o755)` makes a program"
        )
    named = " and ".join(f"`{path}`" for path in closed)
    if any(_is_temporary(_full(path, spec), spec.isolation) for path in closed):
        return (
            f"{named}: of the folder for temporary files a script has a part of its own\n"
            "hint: use `$TMPDIR`, as `tempfile` does"
        )
    verb = "is" if len(closed) == 1 else "are"
    return (
        f"{named} {verb} not among what it may read or write\n"
        "hint: staff open more in Settings, on the page Paths"
    )


def _is_open(path: str, spec: Spec) -> bool:
    assert spec.isolation
    written = [*spec.isolation.write, *spec.isolation.shared_write]
    return _is_below(_full(path, spec), written)


def _is_temporary(full: str, isolation: IsolationSpec) -> bool:
    # The data folder itself may lie in there.
    return _is_below(full, _EVERYBODYS) and not _is_below(full, isolation.closed)


def _full(path: str, spec: Spec) -> str:
    return os.path.normpath(os.path.join(os.fsdecode(spec.cwd), path))


def _is_below(path: str, folders: Iterable[str]) -> bool:
    return any(path == folder or path.startswith(folder.rstrip("/") + "/") for folder in folders)


def _missing_module(lines: list[str]) -> str:
    # Which package has the module is known to web: see runs_app.programs.script.
    name = failure_hints.missing_module(lines)
    return f"No module named `{name}`" if name else ""


def _headline(facts: ExitFacts, words: LastWords) -> str:
    """Return the error, or what came last, such as the text that `sys.exit` was given."""
    said = [*words.errors[:1], *words.after[-1:]]
    if not said or facts.wait_status is None:
        return ""
    code = os.waitstatus_to_exitcode(facts.wait_status)
    return f"Exit code {code}: " + " … ".join(line[:_MAX_LINE] for line in said)


def _join(*sentences: str) -> str:
    return "; ".join(filter(None, sentences))
