"""Items of lines that start a command at a time: plain crontabs, and what other schedulers keep in that form."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from django.utils import timezone

from scripts_app.crontab import codegen, importer, parser
from scripts_app.crontab.codegen import CommandContext
from scripts_app.crontab.importer import Proposal
from scripts_app.crontab.parser import CrontabError, printable
from scripts_app.crontab.source_files import NoSources, Sources, UnreadableFile
from scripts_app.exchange.items import Item, Row
from scripts_app.exchange.staging import Staged
from scripts_app.validation import MAX_NAME
from tempo_site.lib import humanize


@dataclass(frozen=True, kw_only=True)
class CommandLine:
    """A command with its times in the form of cron, as another scheduler keeps it."""

    command: str
    times: Sequence[str]
    name: str = ""
    tags: Sequence[str] = ()
    enabled: bool = True
    zone: str = ""
    overlap: str = ""  # a schedule's, where the scheduler says it
    notes: Sequence[str] = ()


class StagedSources(Sources):
    """The files of an import, in place of this machine's."""

    def __init__(self, tree: Path) -> None:
        super().__init__()
        self._tree = tree

    def code(self, path: str) -> str:
        return self.data(path).decode(errors="replace")

    def data(self, path: str) -> bytes:
        place = Path(path)
        if not place.is_relative_to(self._tree) or ".." in place.parts or not place.is_file():
            raise UnreadableFile("is not in it")
        return place.read_bytes()

    def is_python_program(self, path: str) -> bool:
        return False


def of_crontab(text: str, staged: Staged) -> list[Item]:
    """Return the items of a crontab; none for a text that is no crontab."""
    try:
        table = parser.parse_crontab(text, users={"root"})
    except CrontabError:
        return []
    good = [entry for entry in table.entries if not entry.problem]
    if not good or len(good) < len(table.entries):
        return []
    proposals = importer.propose(table, now=timezone.now(), sources=NoSources())
    taken: set[str] = set()
    return [_item(each, [each], staged, taken) for each in proposals if not each.problem]


def of_lines(lines: Sequence[CommandLine], staged: Staged, *, hidden: str = "") -> Iterator[Item]:
    """Yield the item of each line; `hidden` is where its files lie now, which is not told in any text."""
    taken: set[str] = set()
    sources = StagedSources(staged.tree)
    now = timezone.now()
    for line in lines:
        good = _good(line, line.times, sources, now)
        if good:
            item = _item(good[0], good, staged, taken, hidden=hidden, line=line)
        else:
            # What it starts is read all the same.
            item = _without_time(
                line, _good(line, ["@reboot"], sources, now), staged, taken, hidden
            )
        if line.tags:
            item.settings["tags"] = list(line.tags)
        yield replace(item, notes=[*item.notes, *line.notes])


def _good(
    line: CommandLine, times: Sequence[str], sources: Sources, now: datetime
) -> list[Proposal]:
    found = [each for when in times for each in _proposals(when, line, sources, now)]
    return [replace(each, name=line.name or each.name) for each in found if not each.problem]


def _proposals(when: str, line: CommandLine, sources: Sources, now: datetime) -> list[Proposal]:
    command = " ".join(line.command.splitlines()).replace("%", "\\%")
    try:
        text = f"{when} {command}\n"
        if line.zone:
            text = f"CRON_TZ={line.zone}\n{text}"
        table = parser.parse_crontab(text, users=set(), is_system=False)
    except CrontabError:
        return []
    return importer.propose(table, now=now, sources=sources)


def _without_time(
    line: CommandLine, good: list[Proposal], staged: Staged, taken: set[str], hidden: str
) -> Item:
    notes = ["no schedule: its time could not be read"] if line.times else []
    if good:
        item = _item(good[0], [], staged, taken, hidden=hidden, line=line)
        return replace(item, notes=[*notes, *item.notes])
    command = line.command.replace(hidden, "")
    context = CommandContext(line=printable(command))
    name = line.name or printable(command, 60)
    return Item(
        slug=free(name, taken),
        settings={"name": name},
        code=codegen.in_shell(command, context, words=[codegen.SHELL, "-c"]),
        schedules=[],
        notes=[*notes, "you get a starter that calls it"],
    )


def _item(
    first: Proposal,
    proposals: Sequence[Proposal],
    staged: Staged,
    taken: set[str],
    *,
    hidden: str = "",
    line: CommandLine | None = None,
) -> Item:
    name = printable(first.name, MAX_NAME)
    slug = free(name, taken)
    shown = first.entry.text.replace(hidden, "")
    settings: Row = {"name": name, "description": f"Moved in: {printable(shown, 500)}"}
    settings |= dict(first.settings)
    if first.python_version:
        settings["python_version"] = first.python_version
    notes = first.all_notes if first.is_python else [first.what, *first.all_notes]
    return Item(
        slug=slug,
        settings=settings,
        code=first.code.replace(hidden, ""),
        requirements=f"{first.requirements}\n" if first.requirements else None,
        schedules=[_schedule(each, line) for each in proposals if each.timing],
        files={path: staged.keep(f"{slug}/{path}", data) for path, data in first.files.items()},
        notes=[note.replace(hidden, "") for note in notes],
    )


def _schedule(proposal: Proposal, line: CommandLine | None) -> Row:
    timing = proposal.timing
    assert timing is not None
    row: Row = {
        "kind": timing.kind,
        "cron": timing.cron,
        "every_s": timing.every_s,
        "at": timing.at,
    }
    row |= {"timezone": timing.timezone, "jitter_s": timing.jitter_s, "delay_s": proposal.delay_s}
    said = {name: value for name, value in row.items() if value not in ("", None, 0)}
    overlap = line.overlap if line and line.overlap else str(proposal.overlap)
    return {**said, "overlap": overlap, "enabled": line is None or line.enabled}


def free(name: str, taken: set[str]) -> str:
    """Return a slug for a name that no other item of the import has."""
    base = humanize.safe_name(name) or "script"
    slug, number = base, 2
    while slug in taken:
        slug, number = f"{base}-{number}", number + 1
    taken.add(slug)
    return slug
