"""`manage.py prepare`: do the set-up that `serve` needs, without starting it."""

from typing import Any

from django.core.management.base import BaseCommand

from tempo_site import checks
from tempo_site.bootstrap import bootstrap


class Command(BaseCommand):
    """For images and for `make`; may be repeated at any time."""

    help = "Create the data folder, bring the database up to date, collect static files."
    requires_system_checks = [checks.TAG]

    def handle(self, *args: Any, **options: Any) -> None:
        bootstrap.prepare(self.stdout.write)
