"""What is known of an event or of several: the same for the text, the mail and the webhook."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from notifications_app.messages import links, output_tail, plain, titles
from notifications_app.models import Delivery, Event
from runs_app.failures import changes, ends
from runs_app.history import history
from runs_app.models import Run
from tempo_site.lib import humanize

MAX_LINES = 100  # of a digest
MAX_REASON = 500
ENDS = (Event.FAILED, Event.RECOVERED, Event.SUCCEEDED)
TIME_FORMAT = "%Y-%m-%d %H:%M:%S %Z"


@dataclass(frozen=True, kw_only=True)
class DigestLine:
    """A script in a digest, with the address of its page or run where there is one."""

    title: str
    link: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """A title, and for one event the facts as (label, value), the end of the output, a link; for more their lines.

    What an event says beside its title, as the weekly report does, are facts of a digest too.
    """

    title: str
    facts: list[tuple[str, str]] = field(default_factory=list)
    output: str = ""
    link: str = ""
    lines: list[DigestLine] = field(default_factory=list)
    more: int = 0  # lines that are left out


def report_on(rows: Sequence[Delivery]) -> Report:
    """Return the report on deliveries that are sent together, oldest first."""
    if len(rows) == 1:
        return _report_on_one(rows[0])
    shown = _one_a_script(rows)
    lines = [DigestLine(title=row.title, link=_link(row)) for row in shown[:MAX_LINES]]
    more = max(0, len(shown) - MAX_LINES)
    facts = [fact for row in rows for fact in _own_facts(row)]
    return Report(title=titles.of_digest(rows), facts=facts, lines=lines, more=more)


def _report_on_one(row: Delivery) -> Report:
    run = row.run
    output = ""
    if run is not None and row.event != Event.SLOW:
        output = output_tail.read(run)
    return Report(title=row.title, facts=_facts(row, run), output=output, link=_link(row))


def _one_a_script(rows: Sequence[Delivery]) -> list[Delivery]:
    # How a script's last run ended tells the rest: it bears the streak. What is no end of a run has a line of its own.
    newest: dict[Any, Delivery] = {}
    for row in rows:
        key: Any = row.pk
        if row.script_id and row.event in ENDS:
            key = f"script {row.script_id}"
        elif row.script_id and row.run_id:
            key = f"script {row.script_id} {row.event}"
        newest.pop(key, None)
        newest[key] = row
    return list(newest.values())


def _facts(row: Delivery, run: Run | None) -> list[tuple[str, str]]:
    facts = _own_facts(row)
    if row.script:
        facts.append(("Script", plain.line(_script_words(row))))
    if run is None:
        return facts
    facts.append(("Run", f"#{run.pk}, {run.get_status_display().lower()}"))
    facts.append(("Trigger", run.get_trigger_display()))
    why, error = ends.reason_and_last_line(run)
    if why:
        facts.append(("Reason", plain.shortened(plain.block(why), MAX_REASON)))
    if why != run.explain():
        facts.append(("Ended", plain.shortened(plain.block(run.explain()), MAX_REASON)))
    if error and error not in why:
        facts.append(("Error", plain.line(error, MAX_REASON)))
    if run.started_at:
        started = timezone.localtime(run.started_at).strftime(TIME_FORMAT)
        facts.append(("Started", started))
    if run.duration_s is not None:
        facts.append(("Took", humanize.span(run.duration_s)))
    if run.status in history.BAD:
        facts += _facts_of_failure(run)
    return facts


def _own_facts(row: Delivery) -> list[tuple[str, str]]:
    return [(str(label), plain.block(str(value))) for label, value in row.facts.get("lines", [])]


def _facts_of_failure(run: Run) -> list[tuple[str, str]]:
    found = changes.changes_of_run(run)
    if found is None or not found.changed:
        return []
    return [("Changed since the last good run", plain.line(", ".join(found.names), MAX_REASON))]


def _script_words(row: Delivery) -> str:
    assert row.script
    if row.script.folder:
        return f"{row.script.name} (in {row.script.folder.path})"
    return row.script.name


def _link(row: Delivery) -> str:
    return links.of_run(row.run) or links.of_script(row.script)
