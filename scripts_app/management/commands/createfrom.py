"""`manage.py createfrom [STARTER] [--name NAME] [--folder FOLDER]`: make a script from a starter."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from scripts_app import script_templates
from scripts_app.scripts import ScriptError


class Command(BaseCommand):
    """Without a name it lists what there is; nothing it makes runs by itself."""

    help = "List the starters, or make a script from one, its suggested schedule switched off."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which, and what the script is called."""
        parser.add_argument(
            "starter", nargs="?", help="A name of the list that is shown without it."
        )
        parser.add_argument(
            "--name", default="", help="The script's name; without it the starter's title."
        )
        parser.add_argument(
            "--folder", default="", help="Like `Ops/Nightly`; made when it does not exist."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Show or make."""
        if not options["starter"]:
            width = max(map(len, script_templates.all_templates()))
            for each in script_templates.all_templates().values():
                self.stdout.write(f"{each.name:<{width}}  {each.description}")
            return
        about = {"name": options["name"], "folder": options["folder"]}
        try:
            script = script_templates.create_from_template(
                script_templates.find_template(options["starter"]),
                by=None,
                now=timezone.now(),
                **about,
            )
        except ScriptError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Created {script.slug}, its schedule switched off.")
