"""`manage.py createfrom [STARTER] [--name NAME] [--folder FOLDER]`: make a script from a starter."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from scripts_app import lookup, script_templates
from scripts_app.api.scripts import script_out
from scripts_app.api.templates import TemplateItem, template_fields
from scripts_app.scripts import ScriptError
from tempo_site.audit.commands import ActingCommand
from tempo_site.lib.console.tables import as_json


class Command(ActingCommand):
    """Without a name the command lists the starters; no script runs by itself."""

    help = "List the starters, or make a script from one, its suggested schedule switched off."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "starter",
            nargs="?",
            help="A name of the list that is shown without it.",
        )
        parser.add_argument(
            "--name",
            default="",
            help="The script's name; without it the starter's title.",
        )
        parser.add_argument(
            "--folder",
            default="",
            help="Like `Ops/Nightly`; made when it does not exist.",
        )
        parser.add_argument(
            "--json", action="store_true", help="Print the script, or each starter, as in the API."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["starter"]:
            self.list_starters(is_json=options["json"])
            return
        try:
            script = script_templates.create_from_template(
                script_templates.find_template(options["starter"]),
                by=None,
                now=timezone.now(),
                name=options["name"],
                folder=options["folder"],
            )
        except ScriptError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(as_json(script_out(lookup.script(script.slug)).model_dump()))
        else:
            self.stdout.write(f"Created {script.slug}, its schedule switched off.")

    def list_starters(self, *, is_json: bool) -> None:
        templates = script_templates.all_templates()
        if is_json:
            for template in templates.values():
                item = TemplateItem.model_construct(**template_fields(template))
                self.stdout.write(as_json(item.model_dump()))
            return
        width = max(map(len, templates))
        for template in templates.values():
            self.stdout.write(f"{template.name:<{width}}  {template.description}")
