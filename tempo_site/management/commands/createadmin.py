"""`tempo createadmin NAME [--password-file FILE]`: a user who may do everything."""

import getpass
import sys
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from tempo_site.accounts import users
from tempo_site.audit.commands import ActingCommand
from tempo_site.bootstrap import first_start
from tempo_site.lib.console.tables import as_json

STDIN = "-"
MAX_CHARACTERS = 4096


class Command(ActingCommand):
    """Works whether Tempo is running or not. The password never stands in the arguments, which everybody can see."""

    help = "Make an admin, or give an admin who exists another password; asks for the password."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="What the admin logs in with.")
        parser.add_argument(
            "--password-file",
            default="",
            help="Read the password from the first line of a file; `-` is standard input.",
        )
        parser.add_argument("--json", action="store_true", help="Print `{name, created}`.")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["name"]
        if not name:
            raise CommandError("An admin needs a name.")
        password = read_password(options["password_file"])
        try:
            is_new = first_start.make_admin(name, password, now=timezone.now())
        except users.UserRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        except ValidationError as refusal:
            raise CommandError(f"Nothing was changed. {' '.join(refusal.messages)}") from refusal
        if options["json"]:
            self.stdout.write(as_json({"name": name, "created": is_new}))
        elif is_new:
            self.stdout.write(f"Admin `{name}` was made.")
        else:
            self.stdout.write(f"Admin `{name}` has a new password.")


def read_password(name: str) -> str:
    """Return the password from a file, or of somebody who types it twice. Raises CommandError."""
    if not name:
        if not sys.stdin.isatty():
            raise CommandError("Nobody can type a password here.\nhint: add --password-file FILE")
        password = getpass.getpass("Password: ")
        if getpass.getpass("The same again: ") != password:
            raise CommandError("These were two different passwords; nothing was changed.")
        return password
    try:
        if name == STDIN:
            line = sys.stdin.readline(MAX_CHARACTERS)
        else:
            with Path(name).open() as file:
                line = file.readline(MAX_CHARACTERS)
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"The password cannot be read: {reason(error)}.") from error
    return line.rstrip("\r\n")


def reason(error: OSError | UnicodeDecodeError) -> str:
    if isinstance(error, OSError):
        return str(error.strerror)
    return "it is no text in UTF-8"
