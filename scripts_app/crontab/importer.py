"""Moving in from cron: a proposal for each line of a crontab, and the scripts that are made from proposals."""

import hashlib
import pwd
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypedDict

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from scripts_app import limits, scripts, validation
from scripts_app.crontab import conversion, names
from scripts_app.crontab.conversion import ConvertedCommand
from scripts_app.crontab.parser import Crontab, CrontabEntry, printable
from scripts_app.crontab.source_files import Sources
from scripts_app.files import store
from scripts_app.models import Schedule, Script
from scripts_app.schedules import schedules
from scripts_app.timing import cron_expression, cron_words, rule
from scripts_app.timing.rule import Timing, TimingError
from scripts_app.validation import ScriptError
from scripts_app.versions import versions

MAX_LINE = 1000  # characters of a line that are kept with its schedule
MAX_ADDRESS = 500


class VersionText(TypedDict):
    """The fields of a version."""

    code: str
    requirements: str
    python_version: str


class ScriptSettings(TypedDict, total=False):
    """The settings of a script that a line asks for."""

    timeout_s: int
    nice: int


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What a person chooses for all lines: a folder, the zone of lines without one, a time limit."""

    folder: str = ""
    zone: str = ""
    timeout_s: int | None = None
    switch_on: bool = False


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """The script for one line with its schedule; with a `problem` no script can be made."""

    entry: CrontabEntry
    name: str = ""
    code: str = ""
    is_python: bool = False
    source: str = ""  # the file that was copied
    python_version: str = ""
    requirements: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)  # for the script's folder
    settings: ScriptSettings = field(default_factory=ScriptSettings)
    timing: Timing | None = None
    time_notes: Sequence[str] = ()
    delay_s: int = 0
    overlap: str = Schedule.Overlap.SKIP
    mail_to: str = ""
    rhythm: str = ""
    zone: str = ""  # where the rhythm needs one
    next_at: datetime | None = None
    no_schedule: str = ""  # why the script gets no schedule
    imported_as: str = ""  # a script that has this line already
    same_as: int = 0  # the line above whose script gets this schedule, too
    notes: list[str] = field(default_factory=list)
    problem: str = ""

    @property
    def text(self) -> VersionText:
        return {
            "code": self.code,
            "requirements": self.requirements,
            "python_version": self.python_version,
        }

    @property
    def all_notes(self) -> list[str]:
        return [*self.notes, *self.time_notes]

    @property
    def content(self) -> str:
        """Return the digest of what the script would be: lines with the same content share a script."""
        files = {path: hashlib.sha256(data).hexdigest() for path, data in self.files.items()}
        parts = (self.code, self.python_version, self.requirements, files, dict(self.settings))
        without_line = repr(parts).replace(repr(printable(self.entry.text, 400))[1:-1], "")
        return hashlib.sha256(without_line.encode()).hexdigest()

    @property
    def key(self) -> str:
        """Return the name of the proposal that a person agrees to: another code or time makes another key.

        The zone that was chosen for all lines is not part of it.
        """
        timing: tuple[object, ...] = ()
        if self.timing:
            timing = (self.timing.kind, self.timing.cron, self.timing.every_s, self.entry.zone)
        content = repr((self.entry.text, self.content, timing))
        digest = hashlib.sha256(content.encode()).hexdigest()
        return f"{self.entry.number}-{digest[:20]}"

    @property
    def what(self) -> str:
        if self.problem:
            return "nothing"
        if self.same_as:
            return f"a schedule more for the script of line {self.same_as}"
        if self.source:
            return "its code, copied"
        if self.is_python:
            return (
                "a starter: the code is missing" if "is missing: paste" in self.code else "its code"
            )
        return "not Python: a starter that calls it"


def propose(
    table: Crontab,
    *,
    now: datetime,
    sources: Sources,
    home: str = "",
    choices: Choices | None = None,
) -> list[Proposal]:
    """Return a proposal for each line, without storing or running anything.

    `home`: the folder of the crontab's owner, where known.
    """
    taken, imported = _present_scripts()
    chosen = choices or Choices()
    found: list[Proposal] = []
    first: dict[str, Proposal] = {}
    for entry in table.entries:
        proposal = _proposal(entry, now=now, sources=sources, home=home, choices=chosen)
        if not proposal.problem:
            proposal = _named(proposal, first, taken)
        line = printable(entry.text, MAX_LINE)
        found.append(replace(proposal, imported_as=imported.get(line, "")))
    return found


def make(
    proposal: Proposal,
    *,
    by: User | None,
    now: datetime,
    choices: Choices | None = None,
    made: dict[str, Script] | None = None,
) -> Script:
    """Create the script and its schedule in one transaction, then its files. Raise ScriptError, TimingError.

    `made` holds the scripts of this import by content: a further line with the same content is one schedule more.
    """
    choices = choices or Choices()
    if proposal.problem:
        raise ScriptError(proposal.problem, field="code")
    # The Pythons are asked here, before the transaction.
    versions.check(**proposal.text)
    script = made.get(proposal.content) if made else None
    is_new = script is None
    with transaction.atomic():
        if script is None:
            script = _make_script(proposal, by=by, now=now, choices=choices)
        if proposal.timing:
            _make_schedule(script, proposal, proposal.timing, now=now, choices=choices)
    if is_new:
        for path, data in proposal.files.items():
            store.save(script, path, [data])
    if made is not None:
        made[proposal.content] = script
    return script


def users() -> frozenset[str]:
    """Return the users of this machine whose name is no program as well (`git pull` names no user)."""
    found = {"root"}
    for row in pwd.getpwall():
        if shutil.which(row.pw_name) is None:
            found.add(row.pw_name)
    return frozenset(found)


# The names of scripts in small letters, and the names by the line of a crontab that they came from.
def _present_scripts() -> tuple[set[str], dict[str, str]]:
    taken = set()
    imported = {}
    rows = Script.objects.present().values_list("name", "schedules__cron_line")
    for name, line in rows:
        taken.add(name.casefold())
        if line:
            imported[line] = name
    return taken, imported


def _named(proposal: Proposal, first: dict[str, Proposal], taken: set[str]) -> Proposal:
    twin = first.get(proposal.content)
    if twin is not None:
        return replace(proposal, name=twin.name, same_as=twin.entry.number)
    named = replace(proposal, name=names.unique(proposal.name, taken))
    first[proposal.content] = named
    return named


def _make_script(proposal: Proposal, *, by: User | None, now: datetime, choices: Choices) -> Script:
    chosen: ScriptSettings = {**proposal.settings}
    if choices.timeout_s is not None:
        chosen.setdefault("timeout_s", choices.timeout_s)
    return scripts.create(
        name=proposal.name,
        folder=choices.folder,
        **proposal.text,
        description=f"Moved in from cron: {printable(proposal.entry.text, 500)}",
        by=by,
        now=now,
        **chosen,
    )


def _make_schedule(
    script: Script, proposal: Proposal, timing: Timing, *, now: datetime, choices: Choices
) -> None:
    schedule = Schedule(script=script, enabled=choices.switch_on, kind=timing.kind)
    schedule.cron = timing.cron
    schedule.every_s = timing.every_s
    schedule.at = timing.at
    schedule.timezone = timing.timezone
    schedule.jitter_s = timing.jitter_s
    schedule.delay_s = proposal.delay_s
    schedule.overlap = proposal.overlap
    schedule.cron_line = printable(proposal.entry.text, MAX_LINE)
    schedule.mail_to = printable(proposal.mail_to, MAX_ADDRESS)
    schedules.save(schedule, now=now)


def _proposal(
    entry: CrontabEntry, *, now: datetime, sources: Sources, home: str, choices: Choices
) -> Proposal:
    if entry.problem:
        return Proposal(entry=entry, problem=entry.problem)
    converted = conversion.convert(entry, sources=sources, home=entry.home or home)
    problem = converted.problem or _problem_of(converted)
    if problem:
        return Proposal(entry=entry, problem=problem)
    timing, no_schedule = _timing(entry, converted, choices)
    chosen, notes = _settings(converted, choices)
    mail_to = _mail_to(entry, converted)
    return Proposal(
        entry=entry,
        name=converted.name,
        code=converted.code,
        is_python=converted.is_python,
        source=converted.source,
        python_version=converted.python_version,
        requirements="\n".join(converted.needs.packages),
        files=converted.needs.files,
        settings=chosen,
        timing=timing,
        delay_s=converted.found.delay_s if entry.is_at_startup else 0,
        overlap=_overlap(entry, converted),
        mail_to=mail_to,
        no_schedule=no_schedule,
        notes=[*converted.notes, *notes, *_mail_notes(mail_to)],
        **_meaning(timing, now),
    )


def _meaning(timing: Timing | None, now: datetime) -> dict[str, Any]:
    if timing is None:
        return {}
    return {
        "rhythm": rule.describe(timing),
        "zone": timing.timezone if rule.names_hours(timing) else "",
        "next_at": rule.next_after(timing, now),
        "time_notes": cron_words.notes(timing.cron) if timing.kind == "cron" else [],
    }


def _overlap(entry: CrontabEntry, converted: ConvertedCommand) -> str:
    if entry.skips_overlap or not converted.found.overlap:
        return str(Schedule.Overlap.SKIP)
    return converted.found.overlap


def _mail_to(entry: CrontabEntry, converted: ConvertedCommand) -> str:
    addresses = [entry.mail_to, *converted.found.mail_to]
    return ", ".join(dict.fromkeys(filter(None, addresses)))


def _mail_notes(mail_to: str) -> list[str]:
    if not mail_to:
        return []
    return [
        f"mail for `{printable(mail_to, 100)}`: none is sent yet; the page Notifications asks whether "
        "they are to be told"
    ]


def _problem_of(converted: ConvertedCommand) -> str:
    try:
        validation.text(converted.code, field="code")
    except ScriptError as error:
        return str(error)
    return ""


def _timing(
    entry: CrontabEntry, converted: ConvertedCommand, choices: Choices
) -> tuple[Timing | None, str]:
    zone = entry.zone or choices.zone or settings.TIME_ZONE
    jitter_s = converted.found.jitter_s
    if entry.is_at_startup:
        timing = Timing(kind="startup", timezone=zone)
    elif entry.every_s is not None:
        timing = Timing(kind="interval", every_s=entry.every_s, timezone=zone, jitter_s=jitter_s)
    elif entry.at:
        return _single(entry, zone)
    else:
        timing = Timing(kind="cron", cron=entry.when, timezone=zone, jitter_s=jitter_s)
    try:
        if timing.kind == "cron" and converted.found.delay_s and not converted.wait_s:
            fields = cron_expression.expand_alias(timing.cron)
            timing = replace(timing, cron=f"{converted.found.delay_s} {fields}")
        rule.check(timing)
    except TimingError as error:
        return None, str(error)
    return timing, ""


def _single(entry: CrontabEntry, zone: str) -> tuple[Timing | None, str]:
    try:
        local = datetime.fromisoformat(entry.at)
        timing = Timing(kind="once", at=local.replace(tzinfo=rule.zone_of(zone)), timezone=zone)
        rule.check(timing)
    except ValueError as error:
        return None, str(error)
    return timing, ""


def _settings(converted: ConvertedCommand, choices: Choices) -> tuple[ScriptSettings, list[str]]:
    chosen: ScriptSettings = {}
    notes = []
    timeout = limits.LIMITS["timeout_s"]
    timeout_s = converted.found.timeout_s
    if timeout_s is None and converted.wait_s:
        default_s = choices.timeout_s
        if default_s is None:
            default_s = limits.default_limits()["timeout_s"]
        timeout_s = default_s
    if timeout_s and converted.wait_s:
        timeout_s += converted.wait_s
        notes.append(f"it waits for {converted.wait_s} s first: its time limit is {timeout_s} s")
    if timeout_s is not None:
        chosen["timeout_s"] = timeout.within(timeout_s)
        if chosen["timeout_s"] != timeout_s:
            notes.append(f"this server allows {chosen['timeout_s']} s at most")
    if converted.found.nice is not None:
        chosen["nice"] = converted.found.nice
    return chosen, notes
