"""The end in words: what the numbers and the last lines of stderr together say about why a run failed."""

import os

from runs_app.launcher.spec import Spec
from runs_app.launcher.watch import failure_hints
from runs_app.launcher.watch.verdict import Cause, ExitFacts, killed_by

_MIB = 1 << 20


def explain(facts: ExitFacts, spec: Spec, stderr: bytes) -> ExitFacts:
    """`facts` with a cause or a message where there is one to tell; what was known before stays."""
    if facts.cause:
        return facts._replace(message=_join(facts.message, _stack(facts.cause, spec, stderr)))
    if facts.wait_status is None or facts.wait_status == 0:
        return facts
    if killed_by(facts.wait_status):
        return _explain_signal(facts, spec)
    return _explain_exit(facts, spec, stderr)


def _stack(cause: Cause, spec: Spec, stderr: bytes) -> str:
    frame = (
        failure_hints.where_it_hung(stderr, home=spec.cwd)
        if cause.reason in ("time", "cpu")
        else None
    )
    return (
        f"it stood at `{os.path.basename(frame.file)}` line {frame.line}, in `{frame.function}`"
        if frame
        else ""
    )


def _explain_signal(facts: ExitFacts, spec: Spec) -> ExitFacts:
    name = killed_by(facts.wait_status)
    if name == "SIGKILL" and facts.was_out_of_memory:
        sentence = (
            "The kernel ended it because memory had run out, for the system or for the container"
        )
        return facts._replace(cause=Cause("failed", "memory_system", sentence))
    if name == "SIGXFSZ":
        return facts._replace(message=_join(facts.message, _file_size(spec)))
    return facts


def _explain_exit(facts: ExitFacts, spec: Spec, stderr: bytes) -> ExitFacts:
    limits = spec.limits
    if limits.memory_bytes and failure_hints.ran_out_of_memory(stderr):
        peak = f"used {facts.peak_bytes / _MIB:.0f} MB" if facts.peak_bytes else "started small"
        sentence = f"Asked for more memory than its limit of {limits.memory_bytes // _MIB} MB allows ({peak} before)"
        return facts._replace(cause=Cause("failed", "memory", sentence))
    refused = failure_hints.refused_limit(stderr)
    if refused == "processes" and limits.processes:
        sentence = f"Was refused another process or thread, limit {limits.processes} processes"
        return facts._replace(cause=Cause("failed", "processes", sentence))
    notes = {"file_size": _file_size(spec), "open_files": _open_files(spec)}
    return facts._replace(
        message=_join(facts.message, notes.get(refused or "", "") or _closed_path(spec, stderr))
    )


def _file_size(spec: Spec) -> str:
    most = spec.limits.file_bytes
    return f"A file grew past the limit of {most // _MIB} MB for each file" if most else ""


def _open_files(spec: Spec) -> str:
    return (
        f"It had the most open files that are allowed: {spec.limits.open_files}"
        if spec.limits.open_files
        else ""
    )


def _closed_path(spec: Spec, stderr: bytes) -> str:
    path = failure_hints.denied_path(stderr)
    if path is None or spec.isolation is None:
        return ""
    full = os.path.join(os.fsdecode(spec.cwd), path)
    if any(
        full == place or full.startswith(place.rstrip("/") + "/") for place in spec.isolation.write
    ):
        return ""  # it was let there: the file's own mode refused it
    return (
        f"`{path}` is not among what it may read or write\n"
        "hint: an admin opens more with PYSCHED_EXTRA_READ_PATHS or PYSCHED_EXTRA_WRITE_PATHS"
    )


def _join(*sentences: str) -> str:
    return "; ".join(filter(None, sentences))
