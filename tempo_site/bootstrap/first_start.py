"""The first start: a one-time address makes the first admin and is gone as soon as there is one."""

import logging
import secrets
from datetime import datetime

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from tempo_site.bootstrap import first_script
from tempo_site.lib import paths, secret_key, zone

logger = logging.getLogger(__name__)

TOKEN_BYTES = 24


class AlreadySetUp(Exception):
    """Tempo has an admin already.\nhint: log in"""


def has_admin() -> bool:
    """Whether someone can run this Tempo."""
    return User.objects.filter(is_staff=True, is_active=True).exists()


def token() -> str:
    """The token of the set-up address, the same over restarts; "" when there is an admin, and any old one is gone."""
    if has_admin():
        close()
        return ""
    return secret_key.read_or_generate(paths.setup_token(), random_bytes=TOKEN_BYTES)


def close() -> None:
    """End the set-up for good."""
    paths.setup_token().unlink(missing_ok=True)


def is_waiting() -> bool:
    """Whether an address was printed and there is no admin yet; without a token it costs no query."""
    return paths.setup_token().exists() and bool(token())


def is_open_for(shown: str) -> bool:
    """Whether this token opens the set-up now. An admin who came another way (`createsuperuser`) ends it, too."""
    try:
        stored = paths.setup_token().read_text().strip()
    except OSError:
        stored = ""
    is_right = secrets.compare_digest(shown.encode(), stored.encode())
    if not stored or not is_right:
        return False
    return bool(token())


def finish(*, username: str, password: str, time_zone: str, now: datetime) -> User:
    """Make the first admin, this server's time zone and the starter script. Raises AlreadySetUp.

    Of two who finish at once one becomes the admin: the transaction holds the database's write lock from its begin.
    """
    user = User(username=username, is_staff=True, is_superuser=True)
    user.set_password(password)  # takes a third of a second: before the lock
    with transaction.atomic():
        if has_admin():
            raise AlreadySetUp
        user.save()
    close()
    if not settings.CONFIGURED_TIME_ZONE:
        _keep_zone(time_zone)
    first_script.plant(by=user, now=now)
    logger.info("first admin made user=%s zone=%s", username, settings.TIME_ZONE)
    return user


def _keep_zone(name: str) -> None:
    try:
        zone.keep(name)
    except OSError:  # it holds until the next start; the admin is made all the same
        logger.warning("the time zone could not be stored", exc_info=True)
