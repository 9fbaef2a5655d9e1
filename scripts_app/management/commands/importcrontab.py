"""`manage.py importcrontab [FILE] [--yes]`: make scripts of a crontab's lines."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from scripts_app import bulk
from scripts_app.crontab import importer, source_files
from scripts_app.crontab import parser as crontab_parser
from scripts_app.crontab.importer import Proposal
from scripts_app.crontab.parser import Crontab, CrontabError, printable
from scripts_app.scripts import ScriptError
from scripts_app.timing.rule import TimingError

STDIN = "-"
SYSTEM = Path("/etc/crontab")
SYSTEM_FOLDER = Path("/etc/cron.d")
HEADINGS = ("line", "script", "schedule", "zone", "what")
MAX_CELL = 60  # characters of a cell
MAX_NOTE = 400


class Command(BaseCommand):
    """The command asks first; the schedules are made switched off, and no command of the crontab is run."""

    help = "Show which scripts the lines of a crontab would become, ask, and make them, their schedules switched off."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file",
            nargs="?",
            default=STDIN,
            help="The crontab; `-` or nothing: standard input.",
        )
        parser.add_argument("--yes", action="store_true", help="Make them without asking.")

    def handle(self, *args: Any, **options: Any) -> None:
        table = read_crontab(options["file"])
        proposals = importer.propose(
            table,
            now=timezone.now(),
            read=source_files.reader(),
            home=home_folder(table),
        )
        self.show(table, proposals)
        possible = [proposal for proposal in proposals if not proposal.problem]
        if not possible:
            self.stdout.write("There is nothing to make.")
        elif options["yes"] or self.is_agreed(len(possible)):
            self.make(possible)

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

    def make(self, proposals: list[Proposal]) -> None:
        """Make each script; a refused script does not stop the others. Raises CommandError after a refusal."""
        made = 0
        for proposal in proposals:
            try:
                script = importer.make(proposal, by=None, now=timezone.now())
            except (ScriptError, TimingError) as refusal:
                plain = printable(str(refusal), MAX_NOTE)
                self.stderr.write(f"line {proposal.entry.number}: {plain}")
            else:
                made += 1
                self.stdout.write(f"Made {script.slug}")
        count = bulk.count_of_scripts(made)
        self.stdout.write(f"Made {count}. Look through them, then enable their schedules.")
        if made < len(proposals):
            left = bulk.count_of_scripts(len(proposals) - made)
            raise CommandError(f"{left} could not be made.")


def read_crontab(name: str) -> Crontab:
    """Return the crontab of a file. Raises CommandError."""
    try:
        return crontab_parser.parse_crontab(
            read_text(name), users=importer.users(), is_system=is_system_crontab(name)
        )
    except CrontabError as error:
        raise CommandError(printable(str(error), MAX_NOTE)) from error
    except (OSError, ValueError) as error:
        why = f"`{printable(name)}` cannot be read: {error}"
        raise CommandError(printable(why, MAX_NOTE)) from error


def read_text(name: str) -> str:
    limit = crontab_parser.MAX_BYTES + 1  # the parser refuses a longer one
    if name == STDIN:
        return sys.stdin.buffer.read(limit).decode(errors="replace")
    with Path(name).open("rb") as file:
        return file.read(limit).decode(errors="replace")


def is_system_crontab(name: str) -> bool:
    if name == STDIN:
        return False
    path = Path(name).resolve()
    return path == SYSTEM or path.parent == SYSTEM_FOLDER


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
    if proposal.source:
        notes.append(f"copies {proposal.source}")
    if proposal.no_schedule:
        notes.append(f"no schedule: {proposal.no_schedule}")
    notes += [note for note in proposal.notes if note]
    return notes
