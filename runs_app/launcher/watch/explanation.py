"""The end in words: why a run failed, from the numbers and the last lines of stderr together."""

import os

from runs_app.launcher.spec import Spec
from runs_app.launcher.watch import failure_hints, memory_refusal
from runs_app.launcher.watch.verdict import Cause, ExitFacts, killed_by

_MIB = 1 << 20


def explain(facts: ExitFacts, spec: Spec, stderr: bytes) -> ExitFacts:
    if facts.cause:
        place, refusal = _place(facts.cause, spec, stderr), _refused_thread(facts, spec, stderr)
        return facts._replace(message=_join(facts.message, place, refusal))
    if facts.wait_status is None or facts.wait_status == 0:
        return facts
    refused = memory_refusal.cause(facts, spec.limits, stderr)
    if refused:
        return facts._replace(cause=refused)
    if killed_by(facts.wait_status):
        return _explain_signal(facts, spec)
    return _explain_exit(facts, spec, stderr)


def _refused_thread(facts: ExitFacts, spec: Spec, stderr: bytes) -> str:
    # A script whose threads did not all start may wait for the others for ever.
    if facts.cause is None or facts.cause.reason != "time":
        return ""
    return memory_refusal.refused_thread(facts, spec.limits, stderr)


def _place(cause: Cause, spec: Spec, stderr: bytes) -> str:
    if cause.reason not in ("time", "cpu"):
        return ""
    frame = failure_hints.where_it_hung(stderr, home=spec.cwd)
    if frame is None:
        return ""
    file = os.path.basename(frame.file)
    return f"it stood at `{file}` line {frame.line}, in `{frame.function}`"


def _explain_signal(facts: ExitFacts, spec: Spec) -> ExitFacts:
    name = killed_by(facts.wait_status)
    if name == "SIGKILL" and facts.was_out_of_memory:
        reason = "memory had run out, for the system or for the container"
        cause = Cause("failed", "memory_system", f"The kernel ended it because {reason}")
        return facts._replace(cause=cause)
    if name == "SIGXFSZ":
        return facts._replace(message=_join(facts.message, _file_size(spec)))
    return facts


def _explain_exit(facts: ExitFacts, spec: Spec, stderr: bytes) -> ExitFacts:
    limits = spec.limits
    if limits.memory_bytes and failure_hints.ran_out_of_memory(stderr):
        peak = "started small"
        if facts.peak_bytes:
            peak = f"used {facts.peak_bytes / _MIB:.0f} MB"
        limit = f"its limit of {limits.memory_bytes // _MIB} MB"
        sentence = f"Asked for more memory than {limit} allows ({peak} before)"
        return facts._replace(cause=Cause("failed", "memory", sentence))
    refused_limit = failure_hints.refused_limit(stderr)
    if refused_limit == "processes" and limits.processes:
        sentence = f"Was refused another process or thread, limit {limits.processes} processes"
        return facts._replace(cause=Cause("failed", "processes", sentence))
    note = ""
    if refused_limit == "file_size":
        note = _file_size(spec)
    elif refused_limit == "open_files" and limits.open_files:
        note = f"It had the most open files that are allowed: {limits.open_files}"
    return facts._replace(message=_join(facts.message, note or _closed_path(spec, stderr)))


def _file_size(spec: Spec) -> str:
    limit = spec.limits.file_bytes
    if not limit:
        return ""
    return f"A file grew past the limit of {limit // _MIB} MB for each file"


def _closed_path(spec: Spec, stderr: bytes) -> str:
    path = failure_hints.denied_path(stderr)
    if path is None or spec.isolation is None:
        return ""
    full = os.path.join(os.fsdecode(spec.cwd), path)
    for opened in spec.isolation.write:
        if full == opened or full.startswith(opened.rstrip("/") + "/"):
            return ""  # the script was let there: the file's own mode refused
    return (
        f"`{path}` is not among what it may read or write\n"
        "hint: an admin opens more with PYSCHED_EXTRA_READ_PATHS or PYSCHED_EXTRA_WRITE_PATHS"
    )


def _join(*sentences: str) -> str:
    return "; ".join(filter(None, sentences))
