"""`manage.py importcrontab [FILE] [--yes]`: make scripts of a crontab's lines."""

import sys
from argparse import BooleanOptionalAction
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from scripts_app import bulk
from scripts_app.crontab import importer, source_files
from scripts_app.crontab import parser as crontab_parser
from scripts_app.crontab.importer import Choices, Proposal
from scripts_app.crontab.parser import Crontab, CrontabError, printable
from scripts_app.models import Script
from scripts_app.scripts import ScriptError
from scripts_app.timing import rule
from scripts_app.timing.rule import TimingError
from tempo_site.audit.commands import ActingCommand
from tempo_site.lib.console import tables
from tempo_site.lib.console.arguments import whole_number

STDIN = "-"
SYSTEM = Path("/etc/crontab")
SYSTEM_FOLDER = Path("/etc/cron.d")
HEADINGS = ("line", "script", "schedule", "zone", "what")
MOST_SECONDS = 2**31 - 1  # that a time limit is stored with
MAX_CELL = 60  # characters of a cell
MAX_NOTE = 400
Made = dict[int, str]  # the slugs of scripts, by the number of a line


class Command(ActingCommand):
    """The command asks first; the schedules are made switched off, and no command of the crontab is run."""

    help = "Show which scripts the lines of a crontab would become, ask, and make them, their schedules switched off."

    def add_arguments(self, parser: CommandParser) -> None:
        file = "The crontab; `-` or nothing: standard input."
        parser.add_argument("file", nargs="?", default=STDIN, help=file)
        parser.add_argument("--yes", action="store_true", help="Make them without asking.")
        parser.add_argument(
            "--system",
            action=BooleanOptionalAction,
            help="A user stands before each command, as in /etc/crontab, or does not; without it the lines tell.",
        )
        parser.add_argument("--folder", default="", help="The folder of the scripts.")
        parser.add_argument(
            "--zone", default="", help="The zone of lines without one of their own."
        )
        parser.add_argument(
            "--timeout",
            type=whole_number(0, MOST_SECONDS),
            help="The time limit in seconds of lines without one; 0: none.",
        )
        parser.add_argument(
            "--enable",
            action="store_true",
            help="Switch the schedules on: cron no longer has the lines.",
        )
        parser.add_argument(
            "--again", action="store_true", help="Make those, too, that were imported already."
        )
        parser.add_argument(
            "--json", action="store_true", help="Print a JSON object a line; --yes makes them."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        table = read_crontab(options["file"], is_system=options["system"])
        choices = choices_of(options)
        proposals = importer.propose(
            table,
            now=timezone.now(),
            sources=source_files.Sources(),
            home=home_folder(table),
            choices=choices,
        )
        possible = [
            each
            for each in proposals
            if not each.problem and (options["again"] or not each.imported_as)
        ]
        if options["json"]:
            wanted = possible if options["yes"] else []
            self.as_json(proposals, wanted, self.make_each(wanted, choices))
            return
        self.show(table, proposals)
        if not possible:
            self.stdout.write("There is nothing to make.")
        elif options["yes"] or self.is_agreed(len({each.content for each in possible})):
            self.make(possible, choices)

    def show(self, table: Crontab, proposals: list[Proposal]) -> None:
        """Print a line for each script that would be made, then the notes on each."""
        if table.is_system:
            self.stdout.write("This is a system crontab: its lines name a user before the command.")
        if not proposals:
            return
        rows = [HEADINGS, *map(cells, proposals)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            self.stdout.write("  ".join(padded).rstrip())
        for proposal in proposals:
            for note in notes_on(proposal):
                plain = printable(note, MAX_NOTE)
                self.stdout.write(f"line {proposal.entry.number}: {plain}")
        for number, line in table.commented:
            plain = printable(line, MAX_NOTE)
            self.stdout.write(f"line {number} is commented out and left out: {plain}")

    def is_agreed(self, count: int) -> bool:
        """Ask on a terminal; elsewhere there is no agreement."""
        if not sys.stdin.isatty():
            self.stdout.write("Nothing was made.\nhint: add --yes to make them")
            return False
        scripts = bulk.count_of_scripts(count)
        try:
            answer = input(f"Make {scripts}, with schedules switched off? [y/N] ")
        except EOFError:
            answer = ""
        if answer.strip().lower() in ("y", "yes"):
            return True
        self.stdout.write("Nothing was made.")
        return False

    def make(self, proposals: list[Proposal], choices: Choices) -> None:
        """Make the scripts, and say what was made. Raises CommandError after a refusal."""
        made = self.make_each(proposals, choices)
        for slug in made.values():
            self.stdout.write(f"Made {slug}")
        count = bulk.count_of_scripts(len(set(made.values())))
        rest = "Look through them, then enable their schedules."
        if choices.switch_on:
            rest = "Their schedules are on: take the lines out of the crontab."
        self.stdout.write(f"Made {count}. {rest}")
        refuse_if_any_is_left(proposals, made)

    def make_each(self, proposals: list[Proposal], choices: Choices) -> Made:
        """Make each script, and return slugs by line; a refused script does not stop the others."""
        scripts: dict[str, Script] = {}
        made: Made = {}
        for proposal in proposals:
            number = proposal.entry.number
            try:
                script = importer.make(
                    proposal, by=None, now=timezone.now(), choices=choices, made=scripts
                )
            except (ScriptError, TimingError) as refusal:
                self.stderr.write(f"line {number}: {printable(str(refusal), MAX_NOTE)}")
            else:
                made[number] = script.slug
        return made

    def as_json(self, proposals: list[Proposal], possible: list[Proposal], made: Made) -> None:
        for proposal in proposals:
            told = {
                "line": proposal.entry.number,
                "name": proposal.name,
                "rhythm": proposal.rhythm,
                "notes": notes_on(proposal),
                "made": made.get(proposal.entry.number),
            }
            self.stdout.write(tables.as_json(told))
        refuse_if_any_is_left(possible, made)


def refuse_if_any_is_left(proposals: list[Proposal], made: Made) -> None:
    if len(made) < len(proposals):
        left = bulk.count_of_scripts(len(proposals) - len(made))
        raise CommandError(f"{left} could not be made.")


def choices_of(options: dict[str, Any]) -> Choices:
    """Return what was chosen for all lines. Raises CommandError for an unknown zone."""
    try:
        if options["zone"]:
            rule.zone_of(options["zone"])
    except TimingError as error:
        raise CommandError(printable(str(error), MAX_NOTE)) from error
    return Choices(
        folder=options["folder"],
        zone=options["zone"],
        timeout_s=options["timeout"],
        switch_on=options["enable"],
    )


def read_crontab(name: str, *, is_system: bool | None) -> Crontab:
    """Return the crontab of a file. Raises CommandError."""
    try:
        return crontab_parser.parse_crontab(
            read_text(name),
            users=importer.users(),
            is_system=is_system_crontab(name) if is_system is None else is_system,
        )
    except CrontabError as error:
        raise CommandError(printable(str(error), MAX_NOTE)) from error
    except OSError as error:
        raise CommandError(f"`{printable(name)}` cannot be read: {error.strerror}") from error
    except ValueError as error:
        why = f"`{printable(name)}` cannot be read: {error}"
        raise CommandError(printable(why, MAX_NOTE)) from error


def read_text(name: str) -> str:
    limit = crontab_parser.MAX_BYTES + 1  # the parser refuses a longer one
    if name == STDIN:
        return sys.stdin.buffer.read(limit).decode(errors="replace")
    with Path(name).open("rb") as file:
        return file.read(limit).decode(errors="replace")


def is_system_crontab(name: str) -> bool | None:
    """Return True for a file of the system; of others the lines tell."""
    if name == STDIN:
        return None
    path = Path(name).resolve()
    is_one = path == SYSTEM or path.parent == SYSTEM_FOLDER
    return True if is_one else None


def home_folder(table: Crontab) -> str:
    """Return the home of the crontab's owner, who runs this; "" for a system crontab and an unknown home."""
    if table.is_system:
        return ""
    try:
        return str(Path.home())
    except RuntimeError:
        return ""


def cells(proposal: Proposal) -> tuple[str, ...]:
    """Return a line of the table, without characters that move the cursor."""
    name = proposal.name or printable(proposal.entry.text, MAX_CELL)
    rhythm = proposal.rhythm
    if proposal.no_schedule:
        rhythm = "no schedule"
    zone = "-"
    if proposal.timing and proposal.timing.kind == "cron":
        zone = proposal.timing.timezone
    texts = (str(proposal.entry.number), name, rhythm or "-", zone, proposal.what)
    return tuple(printable(text, MAX_CELL) for text in texts)


def notes_on(proposal: Proposal) -> list[str]:
    """Return the notes that a person should read before the import."""
    notes = []
    if proposal.problem:
        notes.append(proposal.problem)
    if proposal.imported_as:
        notes.append(
            f"imported already as {proposal.imported_as}: it is left out, --again makes it"
        )
    if proposal.same_as:
        notes.append(proposal.what)
    if proposal.source:
        notes.append(f"copies {proposal.source}")
    if proposal.no_schedule:
        notes.append(f"no schedule: {proposal.no_schedule}")
    notes += [note for note in proposal.all_notes if note]
    return notes
