"""`tempo export DIR [--folder FOLDER] [--script SLUG] [--versions]`: scripts as plain files."""

import shutil
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone

from scripts_app import bulk
from scripts_app.exchange import exporting, zip_stream
from scripts_app.mirror import mirror
from scripts_app.mirror.git import GitFailed
from scripts_app.models import Script
from scripts_app.scripts import ScriptError
from tempo_site.audit import trail
from tempo_site.audit.commands import ActingCommand
from tempo_site.lib.console.tables import as_json


class Command(ActingCommand):
    """Works whether Tempo is running or not."""

    help = "Write scripts into a new folder, or into a .zip, as plain files for people, git and other tools."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("target", help="A folder that is new or empty, or a file named .zip.")
        parser.add_argument("--folder", default="", help="Those in this folder and below alone.")
        parser.add_argument("--script", default="", help="This script alone.")
        parser.add_argument("--versions", action="store_true", help="Older texts of each as well.")
        parser.add_argument(
            "--git", action="store_true", help="A bare git repository with a commit a version."
        )
        parser.add_argument("--json", action="store_true", help="Print what was done as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        target = Path(options["target"])
        among = Script.objects.present()
        try:
            rows = exporting.chosen(among, folder=options["folder"], slug=options["script"])
            if options["git"]:
                self.write_repository(rows, target)
                return
            found = exporting.export(rows, with_versions=options["versions"])
            if target.suffix == ".zip":
                write_zip(found, target)
            else:
                exporting.write(found, target)
        except (Http404, ScriptError, GitFailed) as refusal:
            raise CommandError(str(refusal)) from refusal
        except OSError as error:
            raise CommandError(f"`{target}` cannot be written: {error.strerror}.") from error
        if options["json"]:
            done = {"path": str(target), "scripts": found.scripts, "left_out": found.left_out}
            self.stdout.write(as_json(done))
            return
        self.stdout.write(f"Exported {bulk.count_of_scripts(found.scripts)} to {target}.")
        for sentence in found.left_out:
            self.stdout.write(f"Left out: {sentence}")

    def write_repository(self, rows: QuerySet[Script], target: Path) -> None:
        """Write a new repository. Raises ScriptError, GitFailed."""
        if target.exists():
            raise ScriptError(f"`{target}` is there already\nhint: name a new one", field="folder")
        versions = mirror.versions().filter(script__in=rows)
        try:
            last = mirror.commit_all(versions, target.absolute())
            mirror.commit_settings(rows, target.absolute(), last=last, now=timezone.now())
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)
            raise
        trail.record("exported", kind="scripts", name=bulk.count_of_scripts(rows.count()))
        commits = "1 commit" if versions.count() == 1 else f"{versions.count()} commits"
        self.stdout.write(f"Exported {commits} to {target}.")


def write_zip(found: exporting.Export, target: Path) -> None:
    """Write a new file, all of it or nothing. Raises ScriptError, OSError."""
    with target.open("xb") as file:
        try:
            file.writelines(zip_stream.chunks(found))
            file.flush()
        except BaseException:
            target.unlink()
            raise
