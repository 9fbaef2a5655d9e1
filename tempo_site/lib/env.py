"""Environment variables as settings: an empty one counts as not given, an impossible one becomes a system check."""

import ipaddress
import os
import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from tempo_site.lib import hosts, zone

# What the launcher takes as users of scripts: numbers that belong to no person and no service.
MIN_USER, LAST_USER, MAX_USERS = 1000, 2**31 - 1, 100_000
CONTAINER = "TEMPO_CONTAINER"  # a variable of the image
ON, OFF = {"true", "on", "ok", "y", "yes", "1"}, {"false", "off", "n", "no", "0"}

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Env(environ.Env):
    """django-environ's reader that never ends the start with a traceback.

    An unreadable value gets its default and is noted in `problems` as (variable, value, hint);
    `tempo_site.checks` turns the notes into errors with a hint.
    """

    def __init__(
        self, *, as_owner: Callable[[Path], AbstractContextManager[object]] = nullcontext
    ) -> None:
        super().__init__()
        self._as_owner = as_owner  # of the file of a secret: how it is read
        self.problems: list[tuple[str, str, str]] = []
        self.given: set[str] = set()  # the variables that have a value
        self.secret_files: dict[str, str] = {}  # variable -> path

    def get_value(
        self, var: str, cast: Any = None, default: Any = None, parse_default: bool = False
    ) -> Any:
        """Return the value of a variable; the default when the variable is empty, missing or impossible."""
        value = os.environ.get(var, "").strip()
        if not value:
            return default
        self.given.add(var)
        try:
            return super().get_value(var, cast, default, parse_default)
        except (ValueError, ImproperlyConfigured):
            self.problems.append((var, value, f"Use a value like `{default}`."))
            return default

    def secret(self, var: str) -> str:
        """Return a secret, from the variable or from the file that `<variable>_FILE` names; the variable wins."""
        value: str = self.str(var, default="")
        path: str = self.str(f"{var}_FILE", default="")
        if value or not path:
            return value
        self.secret_files[f"{var}_FILE"] = path
        try:
            with self._as_owner(Path(path)):
                value = Path(path).read_text().strip()
        except (OSError, UnicodeDecodeError) as problem:
            hint = f"It cannot be read: {problem}. Name a file that holds the secret alone."
            self.problems.append((f"{var}_FILE", path, hint))
            return ""
        self.given.add(var)
        return value

    def zone(self, var: str, default: str) -> str:
        value: str = self.str(var, default=default)
        if value != default and not zone.is_known(value):
            self.problems.append((var, value, "Use a name like `Europe/Berlin` or `UTC`."))
            return default
        return value

    def zone_of_container(self) -> str:
        """Return the zone that TZ names in a container, "" without one.

        Django puts its own zone into TZ: the processes below this one are told what it was.
        """
        if CONTAINER not in os.environ:
            return ""
        value = os.environ.setdefault("TEMPO_TZ", os.environ.get("TZ", ""))
        if not value or zone.is_known(value):
            return value
        self.problems.append(("TZ", value, "Use a name like `Europe/Berlin` or `UTC`."))
        return ""

    def umask(self, var: str) -> int | None:
        """Return an umask, written in octal; None: not given."""
        value = self._of_container(var)
        if not value:
            return None
        if re.fullmatch("0?[0-7]{3}", value):
            return int(value, 8)
        hint = "Use three octal digits like `022`; of a new file they take rights away."
        self.problems.append((var, value, hint))
        return None

    def _of_container(self, var: str) -> str:
        # In a container PUID, PGID and UMASK count too, as people know them from other images.
        value: str = self.str(var, default="").strip()
        if value or CONTAINER not in os.environ:
            return value
        return os.environ.get(var.removeprefix("PYSCHED_"), "").strip()

    def switch(self, var: str, *, default: bool) -> bool:
        value: str = self.str(var, default="").strip().lower()
        if value and value not in ON | OFF:
            self.problems.append((var, value, "Use `true` or `false`."))
        return value in ON if value else default

    def public_url(self, var: str) -> str:
        """Return an address as browsers write an origin, `https://tempo.example.org`, or "" without one."""
        value: str = self.str(var, default="").strip()
        if not value:
            return ""
        try:
            return hosts.origin_of(value)
        except ValueError:
            hint = "Use an address without a path, like `https://tempo.example.org`."
            self.problems.append((var, value, hint))
            return ""

    def base_path(self, var: str) -> str:
        """Return the path below which a proxy shows Tempo, without a slash at its end; "" for a site of its own."""
        value: str = self.str(var, default="").strip()
        path = value.rstrip("/")
        if not path or re.fullmatch("(?:/[A-Za-z0-9_-]+)+", path):
            return path
        hint = "Use a path like `/tempo`, of letters, digits, `-` and `_`."
        self.problems.append((var, value, hint))
        return ""

    def networks(self, var: str) -> list[Network]:
        """Return addresses and networks; one of all addresses there are is refused."""
        networks = []
        for value in self.list(var, default=[]):
            try:
                network = ipaddress.ip_network(value.strip())
            except ValueError:
                network = None
            if network is not None and network.prefixlen:
                networks.append(network)
                continue
            hint = "Use addresses or networks, separated by commas: `10.0.0.5,172.16.0.0/12`."
            self.problems.append((var, value, hint))
        return networks

    def user(self, var: str, default: str) -> int | None:
        value = self._of_container(var) or default
        if not value:
            return None
        if re.fullmatch("[0-9]{1,10}", value) and int(value) <= LAST_USER:
            return int(value)
        hint = "Use the number of a user or a group like `1000`; 0 is root."
        self.problems.append((var, value, hint))
        return None

    def users(self, var: str, default: str) -> range:
        """Return the numbers of a pool of users, written `FIRST-LAST`; numbers of people and services are refused."""
        value: str = self.str(var, default=default)
        pool = _pool(value)
        if pool:
            return pool
        hint = f"Use a range like `{default}`, from {MIN_USER} on and at most {MAX_USERS} of them."
        self.problems.append((var, value, hint))
        return _pool(default) or range(0)


def _pool(text: str) -> range | None:
    # None for a text that is no range, and for a range that may not be given to scripts.
    found = re.fullmatch(r"([0-9]{1,10})-([0-9]{1,10})", text)
    if not found:
        return None
    pool = range(int(found[1]), int(found[2]) + 1)
    if not 0 < len(pool) <= MAX_USERS:
        return None
    if pool[0] < MIN_USER or pool[-1] > LAST_USER:
        return None
    return pool
