"""REST operations on scripts, folders, versions, drafts, variables, schedules and the pause of all schedules."""

from scripts_app.api import (
    checks,
    drafts,
    environments,
    exchange,
    files,
    folders,
    outside_edits,
    pauses,
    pythons,
    statistics,
    templates,
    variables,
    versions,
)
from scripts_app.api.common import router
from scripts_app.api.schedules import ScheduleOut
from scripts_app.api.scripts import ScriptOut

__all__ = [
    "ScheduleOut",
    "ScriptOut",
    "checks",
    "drafts",
    "environments",
    "exchange",
    "files",
    "folders",
    "outside_edits",
    "pauses",
    "pythons",
    "router",
    "statistics",
    "templates",
    "variables",
    "versions",
]
