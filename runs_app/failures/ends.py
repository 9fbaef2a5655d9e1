"""The explanation of a run as it ends: stored by the UPDATE that stores the end, and made before that."""

import copy
import logging
from collections.abc import Sequence
from typing import Any

from runs_app.failures import actions, error_output, explanation, own_code
from runs_app.failures.explanation import Explanation, RunEnd
from runs_app.history.history import BAD
from runs_app.models import Run
from runs_app.states import Kind, Status

logger = logging.getLogger(__name__)


def with_explanation(
    run: Run, status: Status, fields: dict[str, Any], *, reads_log: bool = False
) -> dict[str, Any]:
    """Return the fields of a run's end with its explanation, if the end is bad.

    To read the log takes some milliseconds. Never raises; fields that have an explanation stay as they are.
    """
    if status not in BAD or run.kind != Kind.SCRIPT or "explanation" in fields:
        return fields
    try:
        return _explained(run, status, fields, reads_log=reads_log)
    except Exception:  # how it ended is worth more than why
        logger.exception("the end of run %s could not be explained", run.pk)
        return fields


def _explained(
    run: Run, status: Status, fields: dict[str, Any], *, reads_log: bool
) -> dict[str, Any]:
    fields = _with_hint(fields)
    ended = copy.copy(run)
    for name, value in {**fields, "status": status}.items():
        setattr(ended, name, value)
    lines = error_output.last_lines_of_run(ended) if reads_log else []
    found = explain_run(ended, lines)
    if found is None:
        return fields
    return {**fields, "explanation": found.as_json(), "fingerprint": found.fingerprint}


def _with_hint(fields: dict[str, Any]) -> dict[str, Any]:
    # Which package has a module is not known to the runner.
    message = fields.get("message", "")
    module = actions.module_that_is_missing(message)
    if not module:
        return fields
    return {**fields, "message": f"{message}\nhint: {actions.where_to_get(module)}"}


def explain_run(run: Run, lines: Sequence[str]) -> Explanation | None:
    """Explain a run that has ended, by the last lines of its stderr; None for a success that logged no error."""
    end = RunEnd(
        status=run.status,
        reason=run.reason,
        sentence=run.explain(),
        message=run.message,
        signal=run.signal,
        exit_code=run.exit_code,
    )
    return explanation.explain(lines, end, own_code.own_code_of_run(run))


def explanation_of_run(run: Run) -> dict[str, Any] | None:
    """Return the stored explanation of a failed run; made now for a run of an older Tempo, None for all others."""
    if run.status not in BAD or run.kind != Kind.SCRIPT:
        return None
    if run.explanation:
        stored: dict[str, Any] = run.explanation
        return stored
    return with_explanation(run, Status(run.status), {}, reads_log=True).get("explanation")


def logged_error_of_run(run: Run) -> dict[str, Any] | None:
    """Return the explanation of an error that a run logged and then succeeded; read from its log, stored nowhere."""
    if run.status != Status.SUCCEEDED or run.kind != Kind.SCRIPT:
        return None
    try:
        found = explain_run(run, error_output.last_lines_of_run(run))
    except Exception:  # that it succeeded is known all the same
        logger.exception("the log of run %s could not be read for errors", run.pk)
        return None
    return found.as_json() if found else None


def reason_and_last_line(run: Run) -> tuple[str, str]:
    """Return why a run failed in plain words, and the last line of its traceback as Python wrote it; "" without one."""
    found = explanation_of_run(run) or {}
    return str(found.get("title") or run.explain()), str(found.get("last_line", ""))
