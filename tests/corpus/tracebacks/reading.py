"""Explanations of the logs, as the end of a run makes them."""

from runs_app.failures import error_output, explanation
from runs_app.failures.explanation import Explanation, RunEnd
from runs_app.failures.own_code import OwnCode
from tests.corpus.tracebacks.make_logs import FILES


def records(stderr: bytes) -> bytes:
    """The records of a log that holds this stderr alone."""
    lines = stderr.split(b"\n")
    return b"".join(b"1764000000000 E F %b\n" % line for line in lines)


def run_end(ending: int | str) -> RunEnd:
    if ending == 0:
        return RunEnd(status="succeeded", reason="", sentence="")
    if isinstance(ending, int):
        sentence = f"Exit code {ending}."
        return RunEnd(status="failed", reason="exit_code", sentence=sentence, exit_code=ending)
    sentence = f"Ended by signal {ending}."
    return RunEnd(status="failed", reason="signal", sentence=sentence, signal=ending)


def explain(stderr: bytes, ending: int | str = 1) -> Explanation | None:
    return explain_records(records(stderr), run_end(ending))


def explain_records(log: bytes, end: RunEnd) -> Explanation | None:
    return explanation.explain(error_output.last_lines(log), end, OwnCode(FILES))
