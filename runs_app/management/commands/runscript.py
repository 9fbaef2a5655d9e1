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
from runs_app.launcher.bells import STATE, Bells, open_bell_folder
from runs_app.launcher.output import record_format
from runs_app.models import Run
from runs_app.output import log
from runs_app.states import Status, Trigger
from runs_app.triggers import confirmation, triggers
from scripts_app.models import Script
from tempo_site.audit import trail
from tempo_site.lib import paths
from tempo_site.models import AuditEntry

POLL_S = 0.2
REFUSED = 75  # EX_TEMPFAIL of sysexits.h: not now, try again later
NOT_RUN = 1
INTERRUPTED = 128 + signal.SIGINT


class Command(BaseCommand):
    """A run like any other: it is in the history, and cancelling it works from everywhere."""

    help = "Start a run of a script; with --wait show its output and end with its exit code."

    def add_arguments(self, parser: CommandParser) -> None:
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

    @trail.acting_as(AuditEntry.Actor.COMMAND, "runscript")
    def handle(self, *args: Any, **options: Any) -> None:
        inputs = inputs_of(options["param"])
        run = self.start(options["slug"], inputs, is_confirmed=options["yes"])
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

    def start(self, slug: str, inputs: dict[str, str], *, is_confirmed: bool) -> Run:
        """Queue the run and wake the engine. Raises CommandError."""
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
                script, trigger=Trigger.COMMAND, by=user_name(), now=timezone.now(), params=inputs
            )
        except confirmation.ConfirmationNeeded as question:
            text = f"{question.sentence}\nhint: add --yes to run it all the same"
            raise CommandError(text, returncode=NOT_RUN) from question
        except triggers.WrongInputs as refusal:
            sentence = str(refusal).partition("\nhint: ")[0]
            text = f"{sentence}\nhint: --param NAME=VALUE"
            raise CommandError(text, returncode=NOT_RUN) from refusal
        except triggers.Refused as refusal:
            raise CommandError(str(refusal), returncode=REFUSED) from refusal
        ring()
        return run


def inputs_of(arguments: Sequence[str]) -> dict[str, str]:
    """Read `NAME=VALUE` arguments; a value may be empty and may hold further `=`. Raises CommandError."""
    inputs: dict[str, str] = {}
    for argument in arguments:
        name, sign, value = argument.partition("=")
        if name in inputs:
            raise CommandError(f"`--param {argument}` is given twice.", returncode=NOT_RUN)
        if not sign or not name:
            raise CommandError(f"`--param {argument}` is no NAME=VALUE.", returncode=NOT_RUN)
        inputs[name] = value
    return inputs


def user_name() -> str:
    return f"command: {os.environ.get('USER') or os.getuid()}"


def ring() -> None:
    """Wake the engine, another process, to look at the queue now and not at its next sweep."""
    bells_fd = open_bell_folder(str(paths.data()))
    try:
        Bells(bells_fd).ring(STATE)
    finally:
        os.close(bells_fd)


def follow(run: Run) -> None:
    """Copy a run's output to this command's output until the run has ended and its whole output was shown."""
    offset = 0
    while True:
        run.refresh_from_db()
        is_final = run.is_final  # read before the slice: the log of a final row is whole
        following = show(run, offset)
        if following == offset:
            if is_final:
                return
            time.sleep(POLL_S)
        offset = following


def show(run: Run, offset: int) -> int:
    """Write the stored records from an offset to stdout and stderr; return the offset after them."""
    data, following = log.read_slice(run, offset)
    for _, stream, is_full, text in record_format.parse(data):
        target = sys.stdout if stream == "O" else sys.stderr
        if stream == "S":
            text = b"tempo: " + text
        if is_full:
            text += b"\n"
        target.buffer.write(text)
    sys.stdout.flush()
    sys.stderr.flush()
    return following


def exit_code(run: Run) -> int:
    """Return the script's exit code, 128 + n after signal n as shells do, 1 for a failure without either."""
    if run.status == Status.SUCCEEDED:
        return 0
    if run.signal:
        return 128 + signal_number(run.signal)
    return run.exit_code or NOT_RUN


def signal_number(name: str) -> int:
    numbered = re.fullmatch(r"SIG(\d+)", name)
    if numbered:
        return int(numbered[1])
    return signal.Signals[name]
