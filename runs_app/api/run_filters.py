"""The filters of the list of runs as parameters of an address."""

from datetime import datetime
from typing import Annotated, Literal

from ninja.errors import HttpError
from pydantic import BaseModel, Field, WithJsonSchema

from runs_app.history.run_filters import RunFilter
from runs_app.search import query
from runs_app.states import Kind, Reason, Status, Trigger

OTHER_STATUSES = ("bad", "active", "")


def words(*allowed: str) -> WithJsonSchema:
    """Return the words of a parameter for the documentation, which has no place for the names of shapes here."""
    return WithJsonSchema({"type": "string", "enum": [str(word) for word in allowed]})


class RunQuery(BaseModel):
    """Filters of runs, all together: "" filters nothing."""

    script: str = ""
    status: Annotated[Status | Literal["bad", "active", ""], words(*Status, *OTHER_STATUSES)] = ""
    kind: Annotated[Kind | Literal["all"], words(*Kind, "all")] = Kind.SCRIPT
    q: str = ""
    folder: str = ""
    tag: str = ""
    reason: Reason = Reason.NONE
    trigger: Annotated[Trigger | Literal[""], words(*Trigger, "")] = ""
    begin: str = Field(default="", alias="from")
    end: str = Field(default="", alias="to")
    min_s: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    max_s: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    version: int | None = Field(default=None, ge=1, le=2**31 - 1)

    def as_filter(self) -> RunFilter:
        return RunFilter(
            text=self.q,
            script=self.script,
            status=self.status,
            kind="" if self.kind == "all" else self.kind,
            trigger=self.trigger,
            since=_moment(self.begin),
            until=_moment(self.end, is_end=True),
            folder=self.folder,
            tag=self.tag,
            reason=self.reason,
            version=self.version,
            min_s=self.min_s,
            max_s=self.max_s,
        )


def _moment(text: str, *, is_end: bool = False) -> datetime | None:
    try:
        return query.moment(text, is_end=is_end) if text else None
    except query.QueryError as problem:
        raise HttpError(422, str(problem)) from problem
