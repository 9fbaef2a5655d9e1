"""What must be in place before the service starts: folders, database, static files, the first admin."""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.password_validation import validate_password
from django.contrib.staticfiles.finders import get_finders
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from tempo_site import auth
from tempo_site.lib import files, paths

Say = Callable[[str], None]


def prepare(say: Say) -> None:
    """Do what is missing; everything is skipped when it was done before. `say` gets one line for each thing done."""
    os.umask(0o077)
    paths.make_all()
    if settings.SECRET_KEY_NOTICE:
        say(settings.SECRET_KEY_NOTICE)
    migrate(say)
    collect_static(say)
    create_admin(say)
    if notice := auth.ensure_default_key():
        say(notice)


def migrate(say: Say) -> None:
    """Bring the database up to date."""
    executor = MigrationExecutor(connection)
    if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return
    call_command("migrate", verbosity=0, interactive=False)
    say("Database is up to date.")


def collect_static(say: Say) -> None:
    """Copy, hash and compress the static files when any of them changed."""
    stamp = settings.STATIC_ROOT / ".stamp"
    digest = hashlib.sha256("\n".join(sorted(_static_sources())).encode()).hexdigest()
    if settings.DEBUG or (stamp.is_file() and stamp.read_text() == digest):
        return
    call_command("collectstatic", verbosity=0, interactive=False)  # old ones stay: open pages may still ask for them
    files.write_atomic(stamp, digest)
    say("Static files are collected.")


def _static_sources() -> Iterator[str]:
    for finder in get_finders():
        for path, storage in finder.list([]):
            fact = Path(storage.path(path)).stat()
            yield f"{path} {fact.st_size} {fact.st_mtime_ns}"


def create_admin(say: Say) -> None:
    """Make the admin named by PYSCHED_ADMIN_USER and PYSCHED_ADMIN_PASSWORD, unless there is one."""
    users = get_user_model().objects
    if users.filter(is_superuser=True).exists():
        return
    if not settings.ADMIN_USER or not settings.ADMIN_PASSWORD:
        say("There is no admin yet. hint: `.venv/bin/python manage.py createsuperuser`")
        return
    try:
        validate_password(settings.ADMIN_PASSWORD)
    except ValidationError as error:
        say(f"PYSCHED_ADMIN_PASSWORD was refused: {' '.join(error.messages)}")
        return
    if users.filter(username=settings.ADMIN_USER).exists():
        say(f"PYSCHED_ADMIN_USER: there is a user `{settings.ADMIN_USER}` who is no admin; nobody was changed.")
        return
    users.create_superuser(settings.ADMIN_USER, "", settings.ADMIN_PASSWORD)
    say(f"Admin `{settings.ADMIN_USER}` was created.")
