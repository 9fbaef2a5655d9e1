"""`tempo runscript SLUG [--param NAME=VALUE] [--yes] [--follow] [--json]`: start a run from the command line."""

import re
import signal
import sys
from argparse import ArgumentTypeError
from collections.abc import Sequence
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from runs_app import lookup
from runs_app.api.runs import run_out
from runs_app.engine import engine
from runs_app.management import watching
from runs_app.models import Run
from runs_app.states import Status, Trigger
from runs_app.triggers import confirmation, triggers
from scripts_app.models import Script
from tempo_site.audit.commands import ActingCommand
from tempo_site.lib.console import caller
from tempo_site.lib.console.arguments import MISUSED
from tempo_site.lib.console.tables import as_json

REFUSED = 75  # EX_TEMPFAIL of sysexits.h: not now, try again later
NOT_RUN = 1
INTERRUPTED = 128 + signal.SIGINT


class Command(ActingCommand):
    """A run like any other: it is in the history, and cancelling it works from everywhere."""

    help = "Start a run of a script; with --follow show its output and end with its exit code."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="The script's safe name: hello-world.")
        parser.add_argument(
            "--param",
            action="append",
            type=name_and_value,
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
            "--follow",
            "--wait",
            action="store_true",
            help="Show its output as it comes, and exit with its exit code.",
        )
        parser.add_argument(
            "--json",
            action="store_true",
            help="Print the run as in the API; with --follow each line of its output before it.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        inputs = inputs_of(options["param"])
        run = self.start(options["slug"], inputs, is_confirmed=options["yes"])
        if not options["follow"]:
            sentence = f"Run {run.pk} of {options['slug']} is queued."
            self.stdout.write(run_as_json(run) if options["json"] else sentence)
            return
        show = watching.show_as_json if options["json"] else watching.show
        try:
            for data in watching.slices(run):
                show(data)
        except KeyboardInterrupt:
            self.stderr.write(f"Run {run.pk} goes on; only the watching ended.")
            sys.exit(INTERRUPTED)
        if options["json"]:
            self.stdout.write(run_as_json(run))
        elif run.status != Status.SUCCEEDED:
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
                script,
                trigger=Trigger.COMMAND,
                by=caller.user(),
                now=timezone.now(),
                params=inputs,
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
        watching.ring()
        return run


def name_and_value(text: str) -> tuple[str, str]:
    """Read `NAME=VALUE`; a value may be empty and may hold further `=`."""
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise ArgumentTypeError(f"`{text}` is no NAME=VALUE")
    return name, value


def inputs_of(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the values by name. Raises CommandError for a name that is given twice."""
    inputs: dict[str, str] = {}
    for name, value in pairs:
        if name in inputs:
            raise CommandError(f"`--param {name}` is given twice.", returncode=MISUSED)
        inputs[name] = value
    return inputs


def run_as_json(run: Run) -> str:
    return as_json(run_out(lookup.run(run.pk)).model_dump())


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
