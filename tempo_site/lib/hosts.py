"""The Host headers that are answered: literal addresses and local names by default, or the operator's list."""

import ipaddress
import re
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from django.conf import settings

DEFAULT_PORTS = {"http": 80, "https": 443}
LOCAL_SUFFIXES = (".local", ".lan", ".home.arpa", ".localhost")
# For "listen everywhere": an address to ask the network about the way to, and the address to use without a network.
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
    header = host_header.strip().lower()
    if _is_address(header):
        return header
    found = _HOST.fullmatch(header)
    if not found:
        return ""
    name: str = found["address"] or found["name"]
    return name.rstrip(".")


def origin_of(text: str) -> str:
    """Return an address as browsers write an origin: `https://tempo.example.org`. Raises ValueError."""
    parts = urlsplit(text)
    name = name_of(parts.hostname or "")
    is_plain = parts.path in ("", "/") and not parts.query and not parts.fragment
    if (
        parts.scheme not in DEFAULT_PORTS
        or name in ("", "*")
        or "@" in parts.netloc
        or not is_plain
    ):
        raise ValueError(f"`{text}` is no address of a site")
    host = f"[{name}]" if ":" in name else name
    if parts.port in (None, DEFAULT_PORTS[parts.scheme]):
        return f"{parts.scheme}://{host}"
    return f"{parts.scheme}://{host}:{parts.port}"


def is_allowed(host_header: str, patterns: Sequence[str], *, public_url: str = "") -> bool:
    """Whether a request for this Host may be answered.

    Without patterns: IP literals, `localhost`, single-label names, `.local`, `.lan` and `.home.arpa`. A stranger can
    register no such name, so DNS rebinding finds no name to use. With patterns: Django's rules (`*`, `.suffix`).
    The name of the public address always may be.
    """
    name = name_of(host_header)
    if not name:
        return False
    if name == name_of(urlsplit(public_url).netloc):
        return True
    if patterns:
        return any(_matches(name, pattern.lower().strip("[]")) for pattern in patterns)
    if _is_address(name):
        return True
    if "." not in name:
        return name.replace("-", "").replace("_", "").isalnum()
    return name.endswith(LOCAL_SUFFIXES) and not name.startswith(".")


def address_of(host: str, port: int) -> str:
    """Return the address to open in a browser for a listening socket; "everywhere" is this machine's own address."""
    name = host
    if host in EVERYWHERE:
        name = _own_address(*EVERYWHERE[host])
    if ":" in name:
        name = f"[{name}]"
    return f"http://{name}:{port}/"


def public_address(host: str, port: int) -> str:
    """Return the address that people open: PYSCHED_PUBLIC_URL, else that of the socket.

    A container's own address is open to this machine alone, and its port may be another one outside.
    """
    if settings.PUBLIC_URL:
        site = settings.PUBLIC_URL
    elif settings.IS_CONTAINER:
        site = f"http://<this machine>:{port}"
    else:
        site = address_of(host, port).rstrip("/")
    return f"{site}{settings.BASE_PATH}/"


def _own_address(family: socket.AddressFamily, towards: str, otherwise: str) -> str:
    # The address from which this machine would call; connecting a UDP socket sends no packet.
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((towards, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return otherwise


def _matches(name: str, pattern: str) -> bool:
    if pattern in ("*", name):
        return True
    return pattern.startswith(".") and (name.endswith(pattern) or name == pattern[1:])


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
