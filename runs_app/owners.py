"""To which script something belongs that an address names, for the limits of keys."""

from collections.abc import Mapping
from typing import Any

from runs_app.models import Run
from scripts_app import reach
from scripts_app.models import Schedule
from tempo_site.accounts.keys import KeyLimits


def is_within(limits: KeyLimits, named: Mapping[str, Any]) -> bool:
    """Whether what an address names, by the names of its parameters, lies within the limits; False where none does."""
    within = reach.within(limits, "script")
    if "slug" in named:
        return reach.covers(limits, named["slug"])
    if "run_id" in named:
        return Run.objects.filter(within, pk=named["run_id"]).exists()
    if "schedule_id" in named:
        return Schedule.objects.filter(within, pk=named["schedule_id"]).exists()
    return False
