"""Forms of scripts and schedules, for pages and admin alike; a verb's refusal becomes an error of a field."""

from scripts_app.forms.folder import FolderForm
from scripts_app.forms.inputs import InputsForm
from scripts_app.forms.open_path import OpenPathForm
from scripts_app.forms.refusals import attempt
from scripts_app.forms.schedule import ScheduleForm, WallClockField, zone_of
from scripts_app.forms.schedule_builder import ScheduleBuilder
from scripts_app.forms.schedule_pause import PauseForm
from scripts_app.forms.script import (
    NewScriptForm,
    ScriptForm,
    SettingsForm,
    TextForm,
    python_choices,
)
from scripts_app.forms.variable import VariableForm

__all__ = [
    "FolderForm",
    "InputsForm",
    "NewScriptForm",
    "OpenPathForm",
    "PauseForm",
    "ScheduleBuilder",
    "ScheduleForm",
    "ScriptForm",
    "SettingsForm",
    "TextForm",
    "VariableForm",
    "WallClockField",
    "attempt",
    "python_choices",
    "zone_of",
]
