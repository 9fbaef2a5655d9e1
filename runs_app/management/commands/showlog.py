"""`tempo showlog RUN [--follow] [--stream STREAM] [--tail N] [--json]`: what a run wrote."""

import sys
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.http import Http404

from runs_app import lookup
from runs_app.management import watching
from runs_app.models import Run
from runs_app.output import log, script_text
from runs_app.output.script_text import BOTH, LinesFrom, ScriptText
from tempo_site.lib.console.arguments import MAX_LINES, whole_number

LETTERS = {"": BOTH, "stdout": "O", "stderr": "E"}


class Command(BaseCommand):
    """Works whether Tempo is running or not. Ends with 0, whatever became of the run."""

    help = "Show what a run wrote, byte for byte; with --follow until the run has ended."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run", type=int, help="Its number.")
        parser.add_argument("--follow", action="store_true", help="Go on until the run has ended.")
        parser.add_argument(
            "--stream", choices=["stdout", "stderr"], default="", help="One of the two alone."
        )
        parser.add_argument(
            "--tail",
            type=whole_number(0, MAX_LINES),
            help="Begin with the last so many lines; 0: with what comes.",
        )
        parser.add_argument(
            "--json",
            action="store_true",
            help="Print every record as a JSON object a line, Tempo's own lines too.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            run = lookup.run(options["run"])
        except Http404 as error:
            raise CommandError(str(error)) from error
        data = watching.slices(run) if options["follow"] else slices_so_far(run)
        streams = LETTERS[options["stream"]]
        first = first_line(run, options["tail"], streams)
        if options["json"]:
            show_records(data, streams if options["stream"] else watching.ALL, first)
            return
        text = ScriptText(streams)
        lines = LinesFrom(first)
        for part in data:
            sys.stdout.buffer.write(lines.of(text.of(part)))
            sys.stdout.flush()


def show_records(data: Iterator[bytes], streams: str, first: int) -> None:
    line = 1
    for part in data:
        line = watching.show_some_as_json(part, streams, first=first, line=line)


def slices_so_far(run: Run) -> Iterator[bytes]:
    offset = 0
    while True:
        data, offset = log.read_slice(run, offset)
        if not data:
            return
        yield data


def first_line(run: Run, tail: int | None, streams: str) -> int:
    if tail is None:
        return 1
    return script_text.first_of_last(log.script_bytes(run, streams=streams), tail)
