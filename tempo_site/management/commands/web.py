"""`manage.py web`: the Django process, started by the launcher."""

import os
import subprocess
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from tempo_site.backups import replacing
from tempo_site.lib import paths
from tempo_site.web import reload, server


class Command(BaseCommand):
    """Takes over the launcher's socket; of no use by hand."""

    help = "Run the web process. The launcher starts it; you start `manage.py serve`."
    requires_system_checks: list[str] = []  # serve has checked a moment ago

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--reload", action="store_true", help="End when a source file changes.")

    def handle(self, *args: Any, **options: Any) -> None:
        if "TEMPO_CONTROL_FD" not in os.environ:
            sentence = "This process belongs below the launcher.\nhint: start `manage.py serve`"
            raise CommandError(sentence)
        if replacing.is_begun(paths.data()):
            finish_restore()
        server.inherit()
        if options["reload"]:
            reload.end_on_change()
        server.WebServer().serve()


def finish_restore() -> None:
    """Have what was restored put into its place, and begin anew: settings and secret key were read before."""
    # By a program of its own: this one is kept from loading migrations.
    subprocess.run([sys.executable, str(settings.BASE_DIR / "manage.py"), "prepare"], check=True)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
