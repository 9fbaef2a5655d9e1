"""`manage.py runscript SLUG [--param NAME=VALUE] [--yes] [--wait]`: start a run from the command line."""

import os
import re
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from runs_app.engine import engine
from runs_app.launcher.bells import STATE, Bells, open_tower
from runs_app.models import Run
from runs_app.output import log
from runs_app.states import Status, Trigger
from runs_app.triggers import confirmation, triggers
from scripts_app.models import Script
from tempo_site.lib import paths

POLL_S = 0.2
REFUSED = 75  # EX_TEMPFAIL of sysexits.h: not now, try again later
NOT_RUN = 1
INTERRUPTED = 128 + signal.SIGINT


class Command(BaseCommand):
    """A run like any other: it is in the history, and cancelling it works from everywhere."""

    help = "Start a run of a script; with --wait show its output and end with its exit code."

    def add_arguments(self, parser: CommandParser) -> None:
        """The script, its inputs, and whether to stay."""
        parser.add_argument("slug", help="The script's safe name: hello-world.")
        parser.add_argument(
            "--param",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="An input of the run; may be repeated.",
        )
        parser.add_argument(
            "--yes",
            action="store_true",
            help="Run it also when this is the first run of its version and problems were found in it.",
        )
        parser.add_argument(
            "--wait", action="store_true", help="Follow its output and exit with its exit code."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Start, and follow if asked to."""
        run = self.start(options["slug"], params_of(options["param"]), is_confirmed=options["yes"])
        if not options["wait"]:
            self.stdout.write(f"Run {run.pk} of {options['slug']} is queued.")
            return
        try:
            follow(run)
        except KeyboardInterrupt:
            self.stderr.write(f"Run {run.pk} goes on; only the watching ended.")
            sys.exit(INTERRUPTED)
        if run.status != Status.SUCCEEDED:
            self.stderr.write(f"Run {run.pk}: {run.get_status_display()}. {run.explain()}".strip())
        sys.exit(exit_code(run))

    def start(self, slug: str, params: dict[str, str], *, is_confirmed: bool) -> Run:
        """Queue the run and ring the engine. Raises CommandError."""
        script = Script.objects.present().filter(slug=slug).first()
        if script is None:
            raise CommandError(f"There is no script `{slug}`.", returncode=NOT_RUN)
        if not engine.is_running():
            raise CommandError(
                "Tempo is not running, so nothing would start this run.\nhint: `make run`, or `manage.py serve`",
                returncode=NOT_RUN,
            )
        try:
            confirmation.require(script, is_confirmed=is_confirmed)
            run = triggers.start(
                script, trigger=Trigger.COMMAND, by=user_name(), now=timezone.now(), params=params
            )
        except confirmation.ConfirmationNeeded as question:
            raise CommandError(
                f"{question.sentence}\nhint: add --yes to run it all the same", returncode=NOT_RUN
            ) from question
        except triggers.WrongInputs as refusal:
            sentence = str(refusal).partition("\nhint: ")[0]
            raise CommandError(
                f"{sentence}\nhint: --param NAME=VALUE", returncode=NOT_RUN
            ) from refusal
        except triggers.Refused as refusal:
            raise CommandError(str(refusal), returncode=REFUSED) from refusal
        ring()
        return run


def params_of(given: Sequence[str]) -> dict[str, str]:
    """Read `NAME=VALUE`s; a value may be empty and may hold further `=`. Raises CommandError."""
    found: dict[str, str] = {}
    for each in given:
        name, sign, value = each.partition("=")
        if not sign or not name or name in found:
            why = "is given twice" if name in found else "is no NAME=VALUE"
            raise CommandError(f"`--param {each}` {why}.", returncode=NOT_RUN)
        found[name] = value
    return found


def user_name() -> str:
    """Who typed the command, for the history."""
    return f"command: {os.environ.get('USER') or os.getuid()}"


def ring() -> None:
    """Tell the engine, another process, to look at the queue now and not at its next sweep."""
    tower = open_tower(str(paths.data()))
    try:
        Bells(tower).ring(STATE)
    finally:
        os.close(tower)


def follow(run: Run) -> None:
    """Copy a run's output to ours until it has ended and all was shown."""
    offset = 0
    while True:
        run.refresh_from_db()
        is_final = run.is_final  # before the slice: what a final row's log holds is all of it
        following = show(run, offset)
        if following == offset:
            if is_final:
                return
            time.sleep(POLL_S)
        offset = following


def show(run: Run, offset: int) -> int:
    """Write the stored records from an offset to stdout and stderr; returns the offset after them."""
    data, following = log.read_slice(run, offset)
    for _, stream, is_full, text in log.records(data):
        target = sys.stdout if stream == "O" else sys.stderr
        target.buffer.write(
            (b"tempo: " if stream == "S" else b"") + text + (b"\n" if is_full else b"")
        )
    sys.stdout.flush()
    sys.stderr.flush()
    return following


def exit_code(run: Run) -> int:
    """The script's exit code, 128 + n after signal n as shells have it, 1 when it has neither and did not succeed."""
    if run.status == Status.SUCCEEDED:
        return 0
    if run.signal:
        return 128 + signal_number(run.signal)
    return run.exit_code or NOT_RUN


def signal_number(name: str) -> int:
    """9 for `SIGKILL`, 40 for `SIG40`: real-time signals between the first and the last have no name."""
    numbered = re.fullmatch(r"SIG(\d+)", name)
    return int(numbered[1]) if numbered else signal.Signals[name]
