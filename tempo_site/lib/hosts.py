"""Which Host headers are ours: literal addresses and local names by default, or the operator's list."""

import ipaddress
import re
import socket
from collections.abc import Sequence

LOCAL_SUFFIXES = (".local", ".lan", ".home.arpa", ".localhost")
# For "listen everywhere": an example's address, towards which the network is asked, and what to say without one.
EVERYWHERE = {
    "0.0.0.0": (socket.AF_INET, "192.0.2.1", "127.0.0.1"),
    "": (socket.AF_INET, "192.0.2.1", "127.0.0.1"),
    "::": (socket.AF_INET6, "2001:db8::1", "::1"),
}

# A name or `*`, or an IPv6 address in brackets; then perhaps a port. Nothing else is a Host header.
_HOST = re.compile(
    r"(?:\[(?P<address>[0-9a-f.]*:[0-9a-f:.]+)\]|(?P<name>\*|[a-z0-9._-]+))(?::[0-9]{1,5})?"
)


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


def address_of(host: str, port: int) -> str:
    """The address to open in a browser for what is listened on; "everywhere" is this machine's own address."""
    name = _own_address(*EVERYWHERE[host]) if host in EVERYWHERE else host
    return f"http://[{name}]:{port}/" if ":" in name else f"http://{name}:{port}/"


def _own_address(family: socket.AddressFamily, towards: str, otherwise: str) -> str:
    """The address this machine would call from; connecting a UDP socket sends nothing."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((towards, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return otherwise


def _matches(name: str, pattern: str) -> bool:
    return pattern in ("*", name) or (
        pattern.startswith(".") and (name.endswith(pattern) or name == pattern[1:])
    )


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
