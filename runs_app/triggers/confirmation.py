"""Ask before the first run: problems that were found in a version stand against running it until a person says so.

Whoever starts a run by hand is asked, at every door. Schedules, retries and runs of a version that ran before are not.
"""

from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from runs_app.models import Run
from runs_app.states import Reason, Trigger
from runs_app.triggers import triggers
from scripts_app import lookup
from scripts_app.diagnostics import check
from scripts_app.diagnostics.models import Problem
from scripts_app.environments import environments
from scripts_app.models import Script, Version
from scripts_app.versions import versions
from tempo_site.lib.sqlite.prepared import Given, PreparedQuery

MAX_NAMED = 3  # problems told in the sentence; the rest is a number
MAX_MESSAGE = (
    200  # characters of a problem in the sentence: a name in it may be as long as the code
)
HINT = "look at it on the script's page and run it there"


class ConfirmationNeeded(triggers.Refused):
    """Nothing was started: somebody has to confirm that the version is to be run in spite of its `problems`."""

    def __init__(self, script: Script, problems: list[Problem]) -> None:
        named = [
            f"line {problem.line}: {problem.message[:MAX_MESSAGE]}"
            for problem in problems[:MAX_NAMED]
        ]
        if len(problems) > MAX_NAMED:
            named.append(f"and {len(problems) - MAX_NAMED} more")
        self.sentence = (
            f"`{script.slug}` was not run: this would be the first run of {script.version}, and it "
            f"may end early or do harm. {'; '.join(named)}."
        )
        # No due moment is ever refused for this, so there is no row that would tell a reason.
        super().__init__(f"{self.sentence}\nhint: {HINT}", Reason.NONE)
        self.problems = problems


def script_to_start(slug: str) -> Any:
    """Return a script that was not deleted, with what its run and `require` need. Raises Http404."""
    found = _TO_START.first(slug=slug)
    if found is None:
        raise lookup.no_script(slug)
    environments.use_one_row(found)
    return found


def require(script: Script, *, is_confirmed: bool = False) -> None:
    """Raise ConfirmationNeeded when the current version has not run yet and problems were found in it.

    Looking for problems may start processes. Rows of `with_has_run` cost no query.
    """
    if is_confirmed:
        return
    problems = problems_to_confirm(script)
    if problems:
        raise ConfirmationNeeded(script, problems)


def start_again(run: Run, *, trigger: Trigger, by: str, now: datetime) -> Run:
    """Queue a run of the same script with the same inputs, once its current version needs no confirmation.

    Raises Refused as `triggers.start_again` does, and ConfirmationNeeded.
    """
    if run.script is not None:
        require(run.script)
    return triggers.start_again(run, trigger=trigger, by=by, now=now)


def problems_to_confirm(script: Script) -> list[Problem]:
    """Return the problems that stand against running the current version; none when it has run before."""
    if script.version is None or has_run(script):
        return []
    return problems_of(script.version)


def problems_of(version: Version) -> list[Problem]:
    """Return the problems of a version that a person has to know of before its first run."""
    fields = versions.fields_of(version)
    return check.problems_to_confirm(check.find_problems(**fields, known=None))


def has_run(script: Any) -> bool:
    """Whether the current version has run before, or is about to."""
    if hasattr(script, "version_has_run"):
        return bool(script.version_has_run)
    return Run.objects.filter(script=script, version=script.version_id).exists()


def with_has_run(rows: QuerySet[Script]) -> QuerySet[Any]:
    """Add to the query of the rows what `has_run` looks at."""
    same_version = Run.objects.filter(script=OuterRef("pk"), version=OuterRef("version"))
    return rows.annotate(version_has_run=Exists(same_version))


_TO_START = PreparedQuery(
    lambda: with_has_run(lookup.scripts_to_start()).filter(slug=Given("slug"))
)
