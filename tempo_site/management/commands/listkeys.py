"""`manage.py listkeys`: list the API keys."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from tempo_site.lib.console.tables import as_json, moment, table
from tempo_site.models import ApiKey
from tempo_site.rest.keys import KeyOut, key_out

HEADINGS = ("id", "name", "scope", "begins with", "sees", "expires", "last used")


class Command(BaseCommand):
    """Works while Tempo runs and while it does not."""

    help = (
        "List the API keys: number, name, scope, what each sees, when it expires and was last used."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--json", action="store_true", help="Print a JSON object a line, as in the API."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        rows = [key_out(key) for key in ApiKey.objects.select_related("created_by").order_by("pk")]
        if options["json"]:
            for row in rows:
                self.stdout.write(as_json(row.model_dump()))
        elif not rows:
            self.stdout.write("There are no keys.")
        else:
            for line in table([HEADINGS, *map(cells, rows)]):
                self.stdout.write(line)


def cells(row: KeyOut) -> tuple[str, ...]:
    sees = ", ".join([*row.scripts, *row.folders]) if row.limited else "everything"
    beginning = f"{row.begins_with}..."
    return (
        str(row.id),
        row.name,
        row.scope,
        beginning,
        sees or "nothing",
        moment(row.expires_at),
        moment(row.last_used_at),
    )
