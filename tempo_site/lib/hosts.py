"""Which Host headers are ours: literal addresses and local names by default, or the operator's list."""

import ipaddress
import re
from collections.abc import Sequence

LOCAL_SUFFIXES = (".local", ".lan", ".home.arpa", ".localhost")


# A name or `*`, or an IPv6 address in brackets; then perhaps a port. Nothing else is a Host header.
_HOST = re.compile(r"(?:\[(?P<address>[0-9a-f.]*:[0-9a-f:.]+)\]|(?P<name>\*|[a-z0-9._-]+))(?::[0-9]{1,5})?")


def name_of(host_header: str) -> str:
    """Return the lower-case host name of a Host header, without port and brackets; "" when it is none."""
    header = host_header.strip().lower()
    if _is_address(header):
        return header
    found = _HOST.fullmatch(header)
    return (found["address"] or found["name"]).rstrip(".") if found else ""


def is_allowed(host_header: str, patterns: Sequence[str]) -> bool:
    """Whether a request for this Host may be answered.

    Without patterns: IP literals, `localhost`, single-label names, `.local`, `.lan` and `.home.arpa`. None of these can
    be registered by a stranger, so DNS rebinding finds no name to use. With patterns: Django's rules (`*`, `.suffix`).
    """
    name = name_of(host_header)
    if not name:
        return False
    if patterns:
        return any(_matches(name, pattern.lower().strip("[]")) for pattern in patterns)
    return (
        _is_address(name)
        or ("." not in name and name.replace("-", "").replace("_", "").isalnum())
        or (name.endswith(LOCAL_SUFFIXES) and not name.startswith("."))
    )


def _matches(name: str, pattern: str) -> bool:
    return pattern in ("*", name) or (pattern.startswith(".") and (name.endswith(pattern) or name == pattern[1:]))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
