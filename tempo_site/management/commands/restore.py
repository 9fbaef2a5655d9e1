"""`manage.py restore`: put a backup back while Tempo is stopped; resume what a restore holds."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from tempo_site.backups import holds, restoring
from tempo_site.backups.program import BackupFailed
from tempo_site.lib import humanize
from tempo_site.lib.console.tables import as_json

RESUMED = "Schedules, triggers and messages go on."
HELD = (
    "Schedules, triggers and messages are held, as the old machine may still run: start Tempo, look at it, and resume"
    " it on any page or with `tempo restore --resume`."
)
WITHOUT_KEY = (
    "The secret key was not in it: where it is another one now, secrets have to be entered again."
)


class Command(BaseCommand):
    """The present data is moved aside, never deleted."""

    help = "Put a backup in the place of the present data. Stop Tempo first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", help="The backup.")
        parser.add_argument("--passphrase-file", help="A file that holds its passphrase.")
        parser.add_argument("--to", help="Restore into this folder, and leave the present data.")
        parser.add_argument("--look", action="store_true", help="Only say what is in it.")
        parser.add_argument("--resume", action="store_true", help="Let a restored Tempo go on.")
        parser.add_argument("--json", action="store_true", help="Print a JSON object.")

    @sensitive_variables("passphrase")
    def handle(self, *args: Any, **options: Any) -> None:
        if options["resume"]:
            self._resume(as_object=options["json"])
            return
        if not options["file"]:
            raise CommandError(
                "Name the backup.\nhint: `tempo restore FILE`, or `tempo restore --resume`"
            )
        path = Path(options["file"]).absolute()
        data = Path(options["to"] or settings.DATA_PATH).absolute()
        passphrase = _passphrase(options["passphrase_file"])
        try:
            if options["look"]:
                manifest = restoring.look(path, passphrase=passphrase)
                self._say(manifest, data, as_object=options["json"])
                return
            if options["to"] and not restoring.is_new(data):
                raise BackupFailed(f"`{data}` is not empty.\nhint: name a new folder")
            done = restoring.restore(path, data, passphrase=passphrase, now=timezone.now())
        except BackupFailed as failure:
            raise CommandError(f"Nothing was restored. {failure}") from None
        has_aside = any(done.aside.iterdir())
        if not has_aside:
            done.aside.rmdir()
        if options["json"]:
            aside = str(done.aside) if has_aside else None
            self._print({**facts(done.manifest), "data": str(data), "aside": aside})
            return
        self._report(done, data, has_aside=has_aside)

    def _print(self, told: dict[str, Any]) -> None:
        self.stdout.write(as_json(told))

    def _report(self, done: restoring.Restored, data: Path, *, has_aside: bool) -> None:
        counts = done.manifest["counts"]
        scripts = humanize.amount(counts["scripts_app_script"], "scripts")
        runs = humanize.amount(counts["runs_app_run"], "runs")
        self.stdout.write(
            f"Restored {scripts} and {runs} of {done.manifest['created_at']} into {data}."
        )
        if has_aside:
            self.stdout.write(f"The data of before is in {done.aside}.")
        self._warn(done.manifest)
        self.stdout.write(HELD)

    def _warn(self, manifest: dict[str, Any]) -> None:
        if not manifest["has_secret_key"]:
            self.stdout.write(WITHOUT_KEY)
        other_machine = restoring.other_machine(manifest)
        if other_machine:
            self.stdout.write(other_machine)

    def _resume(self, *, as_object: bool) -> None:
        was_held = holds.release() is not None
        if as_object:
            self._print({"was_held": was_held})
        else:
            self.stdout.write(RESUMED if was_held else "Nothing is held.")

    def _say(self, manifest: dict[str, Any], data: Path, *, as_object: bool) -> None:
        if as_object:
            self._print({**facts(manifest), "would_replace": restoring.present(data) or None})
            return
        counts = manifest["counts"]
        self.stdout.write(
            f"Tempo {manifest['tempo']}, {manifest['created_at']}: {counts['scripts_app_script']} scripts, "
            f"{counts['runs_app_run']} runs, {manifest['bytes'] // 2**20} MB."
        )
        self._warn(manifest)
        present = restoring.present(data)
        if present:
            self.stdout.write(f"It would take the place of this, which is moved aside. {present}")


def facts(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return what is told of a backup as JSON."""
    counts = manifest["counts"]
    return {
        "tempo": manifest["tempo"],
        "created_at": manifest["created_at"],
        "scripts": counts["scripts_app_script"],
        "runs": counts["runs_app_run"],
        "bytes": manifest["bytes"],
        "has_secret_key": manifest["has_secret_key"],
    }


def _passphrase(file: str | None) -> str:
    if not file:
        return str(settings.BACKUP_PASSPHRASE)
    try:
        return Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"The passphrase cannot be read: {error}") from error
