"""Scripts that an import replaces: what differs gets a new version, new settings, schedules and variables."""

from scripts_app import scripts
from scripts_app.exchange.preparing import Import, Prepared, settings_of
from scripts_app.models import Schedule, Script
from scripts_app.schedules import schedules
from scripts_app.variables import variables


def store(prepared: Prepared, act: Import) -> Script:
    """Store what was prepared for a script that is here, in the transaction of the caller. Raise ScriptError."""
    assert prepared.existing is not None
    script = prepared.existing
    changes = {
        name: value
        for name, value in settings_of(prepared.item).items()
        if _differs(script, name, value)
    }
    scripts.store_update(script, changes, prepared.text, by=act.by, now=act.now)
    _store_schedules(script, prepared, act)
    _store_variables(script, prepared, act)
    return script


def _differs(script: Script, name: str, value: object) -> bool:
    if name == "folder":
        return value != (script.folder.path if script.folder else "")
    stored: object = getattr(script, name)
    return value != stored


def _store_schedules(script: Script, prepared: Prepared, act: Import) -> None:
    if prepared.schedules is None:
        return
    for schedule in Schedule.objects.filter(script=script):
        schedules.delete(schedule)
    for schedule in prepared.schedules:
        schedule.script = script
    schedules.create_all(prepared.schedules, now=act.now)


def _store_variables(script: Script, prepared: Prepared, act: Import) -> None:
    here = {row.name: row for row in variables.variables_of(script)}
    for row in prepared.variables:
        if row.is_secret:
            if row.name not in here:
                variables.reserve(script, name=row.name, by=act.author)
        elif row.name not in here or here[row.name].is_secret or here[row.name].value != row.value:
            variables.save(script, name=row.name, value=row.value, is_secret=False, by=act.author)
