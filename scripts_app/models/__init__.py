"""The tables of scripts: folders, scripts, versions, drafts, environments, variables, schedules and the pause."""

from scripts_app.models.environments import Environment
from scripts_app.models.files import OpenPath, UnplacedFiles
from scripts_app.models.schedules import CalendarKey, Pause, Schedule
from scripts_app.models.scripts import Folder, Script, Star
from scripts_app.models.variables import Variable
from scripts_app.models.versions import Draft, Version

__all__ = [
    "CalendarKey",
    "Draft",
    "Environment",
    "Folder",
    "OpenPath",
    "Pause",
    "Schedule",
    "Script",
    "Star",
    "UnplacedFiles",
    "Variable",
    "Version",
]
