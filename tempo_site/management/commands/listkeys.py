"""`manage.py listkeys`: list the API keys."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from scripts_app import reach
from tempo_site.accounts import keys
from tempo_site.models import ApiKey


class Command(BaseCommand):
    """Works while Tempo runs and while it does not."""

    help = (
        "List the API keys: number, name, scope, what each sees, when it expires and was last used."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print JSON, an object a key.")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = [row_of(key) for key in ApiKey.objects.order_by("pk")]
        if options["json"]:
            self.stdout.write(json.dumps(rows))
            return
        for row in rows:
            sees = ", ".join([*row["scripts"], *row["folders"]]) if row["limited"] else "everything"
            self.stdout.write(
                f"{row['id']:>4}  {row['name']:<24}  {row['scope']:<4}  {row['begins_with']}...  {sees}"
                f"  expires {row['expires_at'] or 'never'}  last used {row['last_used_at'] or 'never'}"
            )


def row_of(key: ApiKey) -> dict[str, Any]:
    limits = keys.limits_of_key(key)
    slugs, paths = reach.names_of(limits) if limits else ([], [])
    return {
        "id": key.pk,
        "name": key.name,
        "scope": key.scope,
        "begins_with": key.prefix,
        "limited": key.is_limited,
        "scripts": slugs,
        "folders": paths,
        "expires_at": key.expires_at and key.expires_at.isoformat(),
        "has_expired": key.has_expired(now=timezone.now()),
        "last_used_at": key.last_used_at and key.last_used_at.isoformat(timespec="seconds"),
        "last_used_from": key.last_used_from,
    }
