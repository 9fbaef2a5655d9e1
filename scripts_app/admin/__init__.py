"""Admin of scripts, schedules, folders, versions and environments: the same verbs as everywhere."""

from scripts_app.admin import rest as rest
from scripts_app.admin import schedules as schedules
from scripts_app.admin import scripts as scripts
