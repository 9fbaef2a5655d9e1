"""`tempo doctor [--json]`: what this machine gives to Tempo, and what to mend."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from tempo_site.bootstrap import doctor
from tempo_site.lib.console.tables import as_json, table


class Command(BaseCommand):
    """Works whether Tempo is running or not. Ends with 1 when something is to be mended, else with 0."""

    help = "Look at all that Tempo needs from this machine, and list what to mend."
    requires_system_checks: list[str] = []  # they are among its findings

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--json",
            action="store_true",
            help="Print a JSON object a finding: `{part, state, text, hint}`.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        findings = list(doctor.examine(timezone.now()))
        to_mend = [finding for finding in findings if finding.state == doctor.MEND]
        if options["json"]:
            for finding in findings:
                self.stdout.write(as_json(doctor.as_dict(finding)))
        else:
            rows = [(each.state, each.part, each.text) for each in findings]
            for line in table(rows):
                self.stdout.write(line)
            if to_mend:
                self.stdout.write("\nTo mend:")
            for finding in to_mend:
                hint = f"\n  hint: {finding.hint}" if finding.hint else ""
                self.stdout.write(f"- {finding.part}: {finding.text}{hint}")
        if to_mend:
            sys.exit(1)
