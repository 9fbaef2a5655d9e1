"""`manage.py importcrontab [FILE] [--yes]`: make scripts of a crontab's lines."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from scripts_app.crontab import importer, source_files
from scripts_app.crontab import parser as crontab_parser
from scripts_app.crontab.importer import Proposal
from scripts_app.crontab.parser import Crontab, CrontabError, printable
from scripts_app.scripts import ScriptError
from scripts_app.timing.rule import TimingError

STDIN = "-"
SYSTEM = Path("/etc/crontab")
SYSTEM_FOLDER = Path("/etc/cron.d")
MAX_CELL = 60  # characters of a cell


class Command(BaseCommand):
    """It asks before it makes anything; the schedules are made switched off, and nothing is run."""

    help = "Show which scripts the lines of a crontab would become, ask, and make them, their schedules switched off."

    def add_arguments(self, parser: CommandParser) -> None:
        """Where from, and whether to ask."""
        parser.add_argument(
            "file", nargs="?", default=STDIN, help="The crontab; `-` or nothing: standard input."
        )
        parser.add_argument("--yes", action="store_true", help="Make them without asking.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Show, ask, make."""
        table = read(options["file"])
        home = "" if table.is_system else home_folder()
        proposals = importer.propose(
            table, now=timezone.now(), read=source_files.reader(), home=home
        )
        self.show(table, proposals)
        wanted = [proposal for proposal in proposals if not proposal.problem]
        if not wanted:
            self.stdout.write("There is nothing to make.")
        elif options["yes"] or self.is_agreed(len(wanted)):
            self.make(wanted)

    def show(self, table: Crontab, proposals: list[Proposal]) -> None:
        """Print a line for each script that would be made, and what is to be said about it."""
        if table.is_system:
            self.stdout.write("This is a system crontab: its lines name a user before the command.")
        rows = [("line", "script", "schedule", "zone", "what"), *map(cells, proposals)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows if proposals else ():
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.stdout.write(line.rstrip())
        for proposal in proposals:
            for note in said_of(proposal):
                self.stdout.write(f"line {proposal.entry.number}: {printable(note, 400)}")

    def is_agreed(self, count: int) -> bool:
        """Ask, where there is somebody to ask."""
        if not sys.stdin.isatty():
            self.stdout.write("Nothing was made.\nhint: add --yes to make them")
            return False
        try:
            answer = input(f"Make {scripts_in_words(count)}, with schedules switched off? [y/N] ")
        except EOFError:
            answer = ""
        if answer.strip().lower() in ("y", "yes"):
            return True
        self.stdout.write("Nothing was made.")
        return False

    def make(self, wanted: list[Proposal]) -> None:
        """Make each; one that is refused does not stop the others. Raises CommandError when there was one."""
        made = 0
        for proposal in wanted:
            try:
                script = importer.make(proposal, by=None, now=timezone.now())
            except (ScriptError, TimingError) as refusal:
                self.stderr.write(f"line {proposal.entry.number}: {printable(str(refusal), 400)}")
            else:
                made += 1
                self.stdout.write(f"Made {script.slug}")
        self.stdout.write(
            f"Made {scripts_in_words(made)}. Look through them, then enable their schedules."
        )
        if made < len(wanted):
            raise CommandError(f"{scripts_in_words(len(wanted) - made)} could not be made.")


def read(name: str) -> Crontab:
    """Return what a file says. Raises CommandError."""
    is_system = name != STDIN and (
        Path(name).resolve() == SYSTEM or Path(name).resolve().parent == SYSTEM_FOLDER
    )
    try:
        if name == STDIN:
            data = sys.stdin.buffer.read(crontab_parser.MAX_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(crontab_parser.MAX_BYTES + 1)
        return crontab_parser.parse_crontab(
            data.decode(errors="replace"), users=importer.users(), is_system=is_system
        )
    except (OSError, ValueError) as error:
        said = (
            error
            if isinstance(error, CrontabError)
            else f"`{printable(name)}` cannot be read: {error}"
        )
        raise CommandError(printable(str(said), 400)) from error


def home_folder() -> str:
    """Where the crontab's owner, who runs this, is at home; "" when nobody knows."""
    try:
        return str(Path.home())
    except RuntimeError:
        return ""


def cells(proposal: Proposal) -> tuple[str, ...]:
    """A proposal as a line of the table; nothing in it can move the cursor."""
    name = proposal.name or printable(proposal.entry.text, MAX_CELL)
    rhythm = "no schedule" if proposal.no_schedule else proposal.rhythm
    zone = proposal.timing.timezone if proposal.timing and proposal.timing.kind == "cron" else "-"
    texts = (str(proposal.entry.number), name, rhythm or "-", zone, proposal.what)
    return tuple(printable(text, MAX_CELL) for text in texts)


def said_of(proposal: Proposal) -> list[str]:
    """Everything that is to be known before it is made."""
    schedule = f"no schedule: {proposal.no_schedule}" if proposal.no_schedule else ""
    source = f"copies {proposal.source}" if proposal.source else ""
    return [text for text in (proposal.problem, source, schedule, *proposal.notes) if text]


def scripts_in_words(count: int) -> str:
    """`1 script`, `3 scripts`."""
    return f"{count} script{'' if count == 1 else 's'}"
