"""REST operations on rules."""

from datetime import datetime
from typing import Any, Literal

from django.http import Http404, HttpResponse
from django.utils import timezone
from ninja.responses import Status
from pydantic import BaseModel, ConfigDict, StrictBool

from notifications_app import lookup
from notifications_app.api.common import changes_of, require_staff, router
from notifications_app.models import Channel, Rule
from notifications_app.rules import preview, rules
from notifications_app.rules.rules import RuleError
from scripts_app import lookup as scripts_lookup
from scripts_app.models import Folder
from tempo_site import auth
from tempo_site.lib import origins
from tempo_site.web.api_types import (
    Cursor,
    Limit,
    Number,
    cursor_after,
    number_of,
    without_defaults,
)


class RulePatch(BaseModel):
    """Changes of a rule. `script` (its slug), `folder` (its path) or `tag`; without any the rule is for all."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=without_defaults)

    channel: Number = 0
    script: str | None = None
    folder: str | None = None
    tag: str = ""
    enabled: StrictBool = True
    events: list[str] = []
    after: Number = 1
    every: Number = 0
    reminder: Literal["off", "daily", "weekly"] = "off"
    skipped: Number = 3
    late_s: Number = 0
    slow_s: Number = 0


class RuleIn(RulePatch):
    """A new rule."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=None)

    channel: Number
    events: list[str]


class RuleOut(BaseModel):
    """A rule. The nearest counts: script, folder, tag, all."""

    id: int
    channel: int
    script: str | None
    folder: str | None
    tag: str
    enabled: bool
    events: list[str]
    after: int
    every: int
    reminder: str
    skipped: int
    late_s: int
    slow_s: int
    created_at: datetime
    updated_at: datetime


class RulePage(BaseModel):
    """Rules, oldest first."""

    items: list[RuleOut]
    next_cursor: str | None


class ToldOut(BaseModel):
    """One event that the rule would have told of."""

    run: int
    script: str
    sentence: str
    at: datetime


class RulePreviewOut(BaseModel):
    """What a rule would have told in the last 30 days. `is_cut`: only the newest runs were looked at.

    `unknown`: events of the rule, in words, that the history of runs does not know.
    """

    total: int
    scripts: int
    is_cut: bool
    newest: list[ToldOut]
    unknown: list[str]


@router.get("/rules", response=RulePage)
def list_rules(request: auth.AuthenticatedRequest, limit: Limit, cursor: Cursor) -> RulePage:
    """List rules."""
    require_staff(request)
    later = lookup.rules().filter(pk__gt=number_of(cursor) or 0)
    rows = list(later.order_by("pk")[: limit + 1])
    items = [rule_out(row) for row in rows[:limit]]
    return RulePage.model_construct(items=items, next_cursor=cursor_after(rows, limit))


@router.post("/rules", response={201: RuleOut})
def create_rule(
    request: auth.AuthenticatedRequest, response: HttpResponse, data: RuleIn
) -> Status[RuleOut]:
    """Make a rule."""
    require_staff(request)
    rule = rules.save(Rule(), changes(data))
    response.headers["Location"] = origins.with_base(f"/api/v1/rules/{rule.pk}")
    return Status(201, rule_out(rule))


@router.get("/rules/{int:rule_id}", response=RuleOut)
def read_rule(request: auth.AuthenticatedRequest, rule_id: int) -> RuleOut:
    """Show a rule."""
    require_staff(request)
    return rule_out(lookup.rule(rule_id))


@router.patch("/rules/{int:rule_id}", response=RuleOut)
def change_rule(request: auth.AuthenticatedRequest, rule_id: int, data: RulePatch) -> RuleOut:
    """Change a rule."""
    require_staff(request)
    return rule_out(rules.save(lookup.rule(rule_id), changes(data)))


@router.delete("/rules/{int:rule_id}", response={204: None})
def delete_rule(request: auth.AuthenticatedRequest, rule_id: int) -> Status[None]:
    """Delete a rule."""
    require_staff(request)
    rules.remove(lookup.rule(rule_id))
    return Status(204, None)


@router.get("/rules/{int:rule_id}/preview", response=RulePreviewOut)
def preview_rule(request: auth.AuthenticatedRequest, rule_id: int) -> RulePreviewOut:
    """Show what a rule would have told in the last 30 days, by the runs in the history."""
    require_staff(request)
    found = preview.preview(lookup.rule(rule_id), now=timezone.now())
    newest = [
        ToldOut.model_construct(
            run=told.run, script=told.script.slug, sentence=told.sentence, at=told.at
        )
        for told in found.newest
    ]
    return RulePreviewOut.model_construct(
        total=found.total,
        scripts=found.scripts,
        is_cut=found.is_cut,
        newest=newest,
        unknown=found.unknown,
    )


def changes(data: RulePatch) -> dict[str, Any]:
    """Return the fields as the verb takes them: rows in place of their names."""
    found = changes_of(data)
    if "channel" in found:
        found["channel"] = channel_of(found["channel"])
    if found.get("script") is not None:
        found["script"] = script_of(found["script"])
    if found.get("folder") is not None:
        found["folder"] = folder_of(found["folder"])
    return found


def channel_of(pk: int) -> Channel:
    try:
        return lookup.channel(pk)
    except Http404 as error:
        raise RuleError(str(error), field="channel") from None


def script_of(slug: str) -> Any:
    try:
        return scripts_lookup.script(slug)
    except Http404 as error:
        raise RuleError(str(error), field="script") from None


def folder_of(path: str) -> Folder:
    folder = Folder.objects.filter(path=path.strip("/")).first()
    if folder is None:
        raise RuleError(f"There is no folder `{path[:80]}`.", field="folder")
    return folder


def rule_out(rule: Rule) -> RuleOut:
    fields: dict[str, Any] = {
        name: getattr(rule, name) for name in RuleOut.model_fields if name != "id"
    }
    fields["channel"] = rule.channel_id
    fields["script"] = rule.script.slug if rule.script else None
    fields["folder"] = rule.folder.path if rule.folder else None
    return RuleOut.model_construct(id=rule.pk, **fields)
