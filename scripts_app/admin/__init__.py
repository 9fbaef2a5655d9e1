"""Admin of scripts, schedules, folders, versions, environments and variables: the same verbs as everywhere."""

from scripts_app.admin import environments as environments
from scripts_app.admin import folders as folders
from scripts_app.admin import schedules as schedules
from scripts_app.admin import scripts as scripts
from scripts_app.admin import variables as variables
from scripts_app.admin import versions as versions
