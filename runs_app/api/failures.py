"""REST operations on failures: listed in groups, and a run repeated as it was."""

from datetime import datetime
from typing import Annotated

from django.http import HttpResponse
from django.utils import timezone
from ninja import Query
from ninja.responses import Status
from pydantic import BaseModel

from runs_app import lookup
from runs_app.api.common import router
from runs_app.api.runs import RunOut, run_out
from runs_app.failures import groups
from runs_app.states import Trigger
from runs_app.triggers import reruns
from scripts_app import reach
from tempo_site import auth
from tempo_site.lib import origins
from tempo_site.web.api_types import Limit

FailureCursor = Annotated[str, Query(default="", pattern=r"^(\d{1,18}-\d{1,18})?$")]


class FailureOut(BaseModel):
    """Runs of a script that failed alike. `state`: `new` (first seen within a day), `again` (after a success), `gone`
    (20 runs without it), `going_on`; `since` says what was new in the first run; `also_in` are other scripts.
    """

    fingerprint: str
    title: str
    kind: str
    place: str
    script: str
    state: str
    count: int
    first_run: int
    first_at: datetime
    first_version: int | None
    last_run: int
    last_at: datetime
    last_version: int | None
    since: str
    also_in: list[str]


class FailurePage(BaseModel):
    """Failures, the last one to happen first."""

    items: list[FailureOut]
    next_cursor: str | None


@router.post("/runs/{int:run_id}/rerun", auth=auth.RUN, response={202: RunOut})
def rerun(
    request: auth.AuthenticatedRequest, response: HttpResponse, run_id: int
) -> Status[RunOut]:
    """Start a run with the very code, packages and inputs of this run, under today's limits."""
    earlier = lookup.run(run_id)
    trigger = Trigger.MANUAL if request.auth.user else Trigger.API
    run = reruns.rerun(earlier, trigger=trigger, by=request.auth.name, now=timezone.now())
    response.headers["Location"] = origins.with_base(f"/api/v1/runs/{run.pk}")
    return Status(202, run_out(run))


@router.get("/failures", response=FailurePage)
@auth.filters_by_limits
def list_failures(
    request: auth.AuthenticatedRequest,
    limit: Limit,
    cursor: FailureCursor,
    script: str = "",
) -> FailurePage:
    """List failures, the last one to happen first: runs of a script that failed alike are one item."""
    before = groups.position_in(cursor)
    among = reach.within(request.auth.limits, "script")
    rows = groups.page(
        now=timezone.now(), limit=limit + 1, script=script, before=before, among=among
    )
    items = [failure_out(row) for row in rows[:limit]]
    last = groups.cursor(rows[limit - 1].group) if len(rows) > limit else None
    return FailurePage.model_construct(items=items, next_cursor=last)


def failure_out(row: groups.FailureRow) -> FailureOut:
    group = row.group
    return FailureOut.model_construct(
        fingerprint=group.fingerprint,
        title=group.title,
        kind=group.kind,
        place=group.place,
        script=group.script.slug,
        state=row.state,
        count=group.count,
        first_run=group.first_run,
        first_at=group.first_at,
        first_version=group.first_version.number if group.first_version else None,
        last_run=group.last_run,
        last_at=group.last_at,
        last_version=group.last_version.number if group.last_version else None,
        since=row.since,
        also_in=[script.slug for script in row.others],
    )
