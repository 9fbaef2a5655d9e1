"""URL triggers in an export: named, and never taken over."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from runs_app.url_triggers.models import UrlTrigger
from scripts_app.exchange import parts
from scripts_app.exchange.parts import Part

Row = dict[str, Any]


def rows_of(keys: Collection[int]) -> Mapping[int, list[Row]]:
    """Return the triggers that are on, without secrets and keys, by the key of the script."""
    found: dict[int, list[Row]] = {}
    for trigger in UrlTrigger.objects.filter(script__in=keys, enabled=True):
        row = {"allow_get": trigger.allow_get, "signed": trigger.scheme, "rules": trigger.rules}
        found[trigger.script_id] = [row]
    return found


def notes(rows: Sequence[Row]) -> list[str]:
    return ["its URL trigger is not taken over: switch it on under Trigger, with keys of its own"]


PART = Part(
    name="triggers",
    read=rows_of,
    notes=notes,
    check=parts.leave,
    store=parts.leave,
    is_for_staff=True,
)
