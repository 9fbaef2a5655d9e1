"""REST operations on scripts, their drafts and their schedules."""

from scripts_app.api import drafts
from scripts_app.api.schedules import ScheduleOut
from scripts_app.api.scripts import ScriptOut
from scripts_app.api.shapes import router

__all__ = ["ScheduleOut", "ScriptOut", "drafts", "router"]
