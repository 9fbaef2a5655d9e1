"""Environment variables as settings: an empty one counts as not given, an impossible one becomes a system check."""

import os
import re
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from tempo_site.lib import zone

# What the launcher takes as users of scripts: nobody that a person or a service could be.
MIN_USER, LAST_USER, MAX_USERS = 1000, 2**31 - 1, 100_000


class Env(environ.Env):
    """django-environ's reader that never ends the start with a traceback.

    What cannot be read gets its default and is noted in `problems` as (variable, value, what to use instead);
    `tempo_site.checks` turns the notes into errors with a hint.
    """

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[tuple[str, str, str]] = []

    def get_value(
        self, var: str, cast: Any = None, default: Any = None, parse_default: bool = False
    ) -> Any:
        """Return the value of a variable; its default when it is empty, missing or impossible."""
        value = os.environ.get(var, "").strip()
        if not value:
            return default
        try:
            return super().get_value(var, cast, default, parse_default)
        except (ValueError, ImproperlyConfigured):
            self.problems.append((var, value, f"Use a value like `{default}`."))
            return default

    def zone(self, var: str, default: str) -> str:
        """Return the name of a time zone that this machine knows."""
        value: str = self.str(var, default=default)
        if value != default and not zone.is_known(value):
            self.problems.append((var, value, "Use a name like `Europe/Berlin` or `UTC`."))
            return default
        return value

    def user(self, var: str, default: str) -> int | None:
        """Return the number of a user or a group; None when it is not given."""
        value: str = self.str(var, default=default).strip()
        if not value or (re.fullmatch("[0-9]{1,10}", value) and int(value) <= LAST_USER):
            return int(value) if value else None
        self.problems.append(
            (var, value, "Use the number of a user or a group like `1000`; 0 is root.")
        )
        return None

    def users(self, var: str, default: str) -> range:
        """Return the numbers of a pool of users, written `FIRST-LAST`; those of people and of services are refused."""
        value: str = self.str(var, default=default)
        pool = _pool(value)
        if pool is None:
            hint = (
                f"Use a range like `{default}`, from {MIN_USER} on and at most {MAX_USERS} of them."
            )
            self.problems.append((var, value, hint))
        return pool or _pool(default) or range(0)


def _pool(text: str) -> range | None:
    """`50000-59999` as numbers; None when it is no such range, or one that may not be given to scripts."""
    written = re.fullmatch(r"([0-9]{1,10})-([0-9]{1,10})", text)
    if not written:
        return None
    pool = range(int(written[1]), int(written[2]) + 1)
    return (
        pool
        if pool and pool[0] >= MIN_USER and pool[-1] <= LAST_USER and len(pool) <= MAX_USERS
        else None
    )
