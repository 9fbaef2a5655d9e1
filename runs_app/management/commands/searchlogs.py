"""`manage.py searchlogs QUERY [--limit N] [--json]`: search the output of all runs."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.http import Http404

from runs_app.search import found_lines, query, search
from runs_app.search.patterns import TooSlow
from runs_app.search.query import Query
from runs_app.search.search import Results
from tempo_site.lib.console.arguments import MAX_LINES, whole_number

LIMIT = 50


class Command(BaseCommand):
    """It works whether Tempo is running or not, and takes the time that it needs."""

    help = "Search the output of all runs and show the lines that were found, the newest run first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "query",
            nargs="+",
            help='As on the page Search: words, "a phrase", script:backup, after:2026-11-01, re:E\\d+.',
        )
        parser.add_argument(
            "--limit",
            type=whole_number(1, MAX_LINES),
            default=LIMIT,
            help=f"Show at most so many lines (default: {LIMIT}).",
        )
        parser.add_argument(
            "--json", action="store_true", help="Print a JSON object a line, as in the API."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        left = limit = options["limit"]
        try:
            asked = query.parse(" ".join(options["query"]))
            results = self.show_page(asked, None, left, as_json=options["json"])
            left -= len(results.hits)
            while left > 0 and results.next_cursor:
                results = self.show_page(asked, results.next_cursor, left, as_json=options["json"])
                left -= len(results.hits)
        except (query.QueryError, TooSlow, search.Busy, Http404) as problem:
            raise CommandError(str(problem)) from problem
        if left == limit and not options["json"]:
            self.stdout.write("Nothing was found.")
        if results.next_cursor:
            self.stderr.write(f"There may be more. {found_lines.searched(results)}")
        if note := found_lines.passed_over(results):
            self.stderr.write(note)

    def show_page(
        self, asked: Query, cursor: search.SearchCursor | None, limit: int, *, as_json: bool
    ) -> Results:
        results = search.search(asked, cursor=cursor, limit=min(limit, search.MAX_LIMIT))
        for hit in results.hits:
            found = found_lines.as_json(hit, asked)
            if as_json:
                self.stdout.write(json.dumps(found, cls=DjangoJSONEncoder, ensure_ascii=False))
            else:
                subject = found["script"] or "-"
                self.stdout.write(f"#{found['run']} {subject} {found['line']}: {found['text']}")
        return results
