"""Environment variables as settings: an empty one counts as not given, an impossible one becomes a system check."""

import os
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from tempo_site.lib import zone


class Variables(environ.Env):
    """django-environ's reader that never ends the start with a traceback.

    What cannot be read gets its default and is noted in `problems` as (variable, value, what to use instead);
    `tempo_site.checks` turns the notes into errors with a hint.
    """

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[tuple[str, str, str]] = []

    def get_value(self, var: str, cast: Any = None, default: Any = None, parse_default: bool = False) -> Any:
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
