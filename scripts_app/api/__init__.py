"""REST operations on scripts, their drafts, their schedules the pause of those, and templates."""

from scripts_app.api import drafts, environments, pauses, templates
from scripts_app.api.schedules import ScheduleOut
from scripts_app.api.scripts import ScriptOut
from scripts_app.api.shapes import router

__all__ = ["ScheduleOut", "ScriptOut", "drafts", "environments", "pauses", "router", "templates"]
