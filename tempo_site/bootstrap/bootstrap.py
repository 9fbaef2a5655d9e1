"""The data folder of a service before its start: folders, database, static files, the first admin."""

import os
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.utils import timezone

from tempo_site.accounts import default_key
from tempo_site.backups import adapting, replacing
from tempo_site.bootstrap import database, file_system, first_start, static_files
from tempo_site.lib import paths

Say = Callable[[str], None]


def prepare(say: Say) -> None:
    """Do each step that was not done before; `say` gets a line for each step that is done. Raises CommandError."""
    os.umask(0o077)
    paths.make_all()
    for notice in (settings.SECRET_KEY_NOTICE, settings.TIME_ZONE_NOTICE):
        if notice:
            say(notice)
    for notice in file_system.missing_links():
        say(notice)
    finish_restore(say)
    database.refuse_unusable()
    database.begin()
    database.choose_journal(say)
    database.migrate(say)
    if adapting.adapt(now=timezone.now()):
        say(
            "A backup was restored: schedules, triggers and messages are held until somebody resumes them."
        )
    static_files.collect(say)
    create_admin(say)
    notice = default_key.ensure()
    if notice:
        say(notice)


def finish_restore(say: Say) -> None:
    """Do what is left of a restore: of the page's all, of one that was broken off the rest. Raises CommandError."""
    if not replacing.is_begun(paths.data()):
        return
    try:
        replacing.finish(paths.data())
    except (replacing.CannotReplace, OSError) as error:
        raise CommandError(
            f"A restore was broken off and cannot be finished: {error}\nhint: mend that, and start Tempo again"
        ) from error
    say("What was restored is in its place.")


def create_admin(say: Say) -> None:
    """Make the admin named by PYSCHED_ADMIN_USER and PYSCHED_ADMIN_PASSWORD, unless there is an admin."""
    name, password = settings.ADMIN_USER, settings.ADMIN_PASSWORD
    if first_start.has_admin():
        first_start.close()
        return
    if not name or not password:
        say("There is no admin yet.")
        return
    if User.objects.filter(username=name).exists():
        say(f"PYSCHED_ADMIN_USER: there is a user `{name}` who is no admin; nobody was changed.")
        return
    try:
        first_start.make_admin(name, password, now=timezone.now())
    except ValidationError as error:
        say(f"PYSCHED_ADMIN_PASSWORD was refused: {' '.join(error.messages)}")
        return
    say(f"Admin `{name}` was created.")
