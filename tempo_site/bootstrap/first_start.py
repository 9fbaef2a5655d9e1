"""The first start: a one-time address makes the first admin, and is gone as soon as there is an admin."""

import logging
import secrets
from datetime import datetime

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from tempo_site.accounts import users
from tempo_site.bootstrap import first_script
from tempo_site.lib import paths, secret_key, zone

logger = logging.getLogger(__name__)

TOKEN_BYTES = 24


class AlreadySetUp(Exception):
    """Tempo has an admin already.\nhint: log in"""


def has_admin() -> bool:
    return User.objects.filter(is_staff=True, is_active=True).exists()


def token() -> str:
    """Return the token of the set-up address, the same over restarts; "" when there is an admin."""
    if has_admin():
        close()
        return ""
    return secret_key.read_or_generate(paths.setup_token(), random_bytes=TOKEN_BYTES)


def close() -> None:
    paths.setup_token().unlink(missing_ok=True)


def is_waiting() -> bool:
    """Whether an address was printed and there is no admin yet. Without a stored token this costs no query."""
    return paths.setup_token().exists() and bool(token())


def is_open_for(candidate: str) -> bool:
    """Whether this token opens the set-up now. An admin made by `createsuperuser` ends the set-up as well."""
    try:
        stored = paths.setup_token().read_text().strip()
    except OSError:
        stored = ""
    is_right = secrets.compare_digest(candidate.encode(), stored.encode())
    if not stored or not is_right:
        return False
    return bool(token())


def finish(*, username: str, password: str, time_zone: str, now: datetime) -> User:
    """Make the first admin, this server's time zone and the starter script. Raises AlreadySetUp.

    Of two browsers that finish at once one makes the admin: the transaction holds the write lock from its begin.
    """
    user = User(username=username, is_staff=True, is_superuser=True)
    user.set_password(password)  # takes a third of a second: before the lock
    with transaction.atomic():
        if has_admin():
            raise AlreadySetUp
        user.save()
    close()
    if not settings.CONFIGURED_TIME_ZONE:
        _store_zone(time_zone)
    first_script.create(by=user, now=now)
    logger.info("first admin made user=%s zone=%s", username, settings.TIME_ZONE)
    return user


def make_admin(name: str, password: str, *, now: datetime) -> bool:
    """Do what `users.make_admin` does; whoever is the first admin gets the starter script as well."""
    is_first = not has_admin()
    is_new = users.make_admin(name, password)
    close()
    if is_first:
        first_script.create(by=User.objects.get(username=name), now=now)
    return is_new


def _store_zone(name: str) -> None:
    try:
        zone.store(name)
    except OSError:  # the zone holds until the next start; the admin is made all the same
        logger.warning("the time zone could not be stored", exc_info=True)
