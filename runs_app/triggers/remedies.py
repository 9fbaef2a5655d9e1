"""What can be done about a failed run now: what its failure asks for, as far as the script is still as it was."""

from runs_app.failures.actions import Action
from runs_app.history import regression
from runs_app.models import Run
from runs_app.triggers import reruns
from scripts_app.models import Script, Version
from scripts_app.versions import versions

OF_THE_TEXT = ("add_package", "use_tmpdir")
RERUN: Action = {"kind": "rerun", "label": "Run again with the same code, packages and inputs"}


def actions_of_run(run: Run, asked_for: list[Action]) -> list[Action]:
    """Return what a failed run's explanation asks for and can still be done, and what can be done about any failure."""
    script = run.script
    if script is None or script.deleted_at is not None:
        return []
    found: list[Action] = []
    for action in asked_for:
        # A newer version may have it already.
        if action["kind"] not in OF_THE_TEXT or run.version_id == script.version_id:
            found.append(action)
    good = last_good_version(run)
    if good is not None and not _is_current(good, script):
        label = "Restore the last good version"
        found.append({"kind": "restore_version", "label": label, "version": good.number})
    if not reruns.refusal(run):
        found.append(RERUN)
    return found


def _is_current(version: Version, script: Script) -> bool:
    if version.pk == script.version_id or script.version is None:
        return True
    return versions.fields_of(version) == versions.fields_of(script.version)  # as behind a restore


def last_good_version(run: Run) -> Version | None:
    found = regression.find_regression(run.script, bad=run) if run.script else None
    return found.good.version if found else None
