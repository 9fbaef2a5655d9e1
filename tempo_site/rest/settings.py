"""REST operations on the settings that are edited on pages; the value of a secret is taken and never given."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.views.decorators.debug import sensitive_variables
from pydantic import BaseModel, RootModel, StrictBool, StrictInt, StrictStr

from tempo_site import auth
from tempo_site.stored_settings import store
from tempo_site.stored_settings.registry import SECTIONS
from tempo_site.web.late_operations import Router

ONLY_STAFF = "Settings are for staff.\nhint: ask a user of the staff"

router = Router()


class SettingOut(BaseModel):
    """A setting. `source`: `environment`, which wins, `stored` or `default`; `value` is null for a secret."""

    name: str
    section: str
    kind: str
    value: str | int | bool | None
    is_set: bool
    source: str
    editable: bool
    choices: list[str]
    unit: str
    updated_at: datetime | None
    updated_by: str


class SettingPage(BaseModel):
    """All settings, by section."""

    items: list[SettingOut]
    next_cursor: str | None


class SettingsPatch(RootModel[dict[str, StrictBool | StrictInt | StrictStr | None]]):
    """New values by name; null brings the default back, and forgets a secret."""


# Not for keys that may read: what stands here is about Tempo itself, and of its operator.
@router.get("/settings", auth=auth.FULL, response=SettingPage, tags=["settings"])
def list_settings(request: auth.AuthenticatedRequest) -> SettingPage:
    """Show the settings that pages can change, with their sources."""
    auth.require_staff(request.auth, ONLY_STAFF)
    return SettingPage.model_construct(items=list(settings_out()), next_cursor=None)


@router.patch("/settings", response=SettingPage, tags=["settings"])
@sensitive_variables()
def change_settings(request: auth.AuthenticatedRequest, data: SettingsPatch) -> SettingPage:
    """Change settings, all or none."""
    auth.require_staff(request.auth, ONLY_STAFF)
    store.save(data.root, by=request.auth.name)
    return SettingPage.model_construct(items=list(settings_out()), next_cursor=None)


def settings_out() -> Iterator[SettingOut]:
    for section in SECTIONS.values():
        for row in store.current(section):
            yield setting_out(section.slug, row)


def setting_out(section: str, row: store.Current) -> SettingOut:
    value: Any = row.value
    if row.field.is_secret:
        value = None
    return SettingOut.model_construct(
        name=row.field.name,
        section=section,
        kind=row.field.kind.value,
        value=value,
        is_set=row.is_set,
        source=row.source.value,
        editable=row.is_editable,
        choices=[choice for choice, _words in row.field.choices],
        unit=row.field.unit,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
    )
