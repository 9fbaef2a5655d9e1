"""The shape of an explanation: why a run failed, or what error it logged."""

from typing import Any

from pydantic import BaseModel


class FrameOut(BaseModel):
    """The innermost line of the script's own code in a traceback; `code` is "" where the traceback does not show it."""

    file: str
    line: int
    function: str
    code: str


class ActionOut(BaseModel):
    """What can be done. `kind`: `add_package` (with `package`), `raise_limit` (with `limit`), `use_tmpdir`, `rerun`,
    `restore_version` (with `version`).
    """

    kind: str
    label: str
    package: str | None
    limit: str | None
    version: int | None


class ExplanationOut(BaseModel):
    """Why a run failed. Runs with the same `fingerprint` failed alike; `last_line` is the traceback's, as Python wrote
    it. `kind`: `exception`, `syntax_error`, `missing_module`, `subprocess`, `exit_text`, `exit_code`, `crash`,
    `signal`, `limit`, `environment`, `could_not_start`, `lost`; and `logged`, of one run that is read by its id: it
    succeeded, but logged this error.
    """

    title: str
    detail: str
    kind: str
    fingerprint: str
    frame: FrameOut | None
    hint: str
    actions: list[ActionOut]
    last_line: str


def explanation_out(stored: dict[str, Any] | None) -> ExplanationOut | None:
    if stored is None:
        return None
    named = dict.fromkeys(("package", "limit", "version"))
    listed = [ActionOut.model_construct(**{**named, **action}) for action in stored["actions"]]
    frame = FrameOut.model_construct(**stored["frame"]) if stored["frame"] else None
    return ExplanationOut.model_construct(**{**stored, "frame": frame, "actions": listed})
