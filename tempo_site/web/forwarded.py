"""What trusted proxies say of a request: who its client is, whether it came by TLS, and under which name."""

import ipaddress
from collections.abc import Iterable
from typing import Any

from django.conf import settings

from tempo_site.lib.console import service_report

Scope = dict[str, Any]
Headers = Iterable[tuple[bytes, bytes]]
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_PROXIES = 20
FORWARDED = frozenset({"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded"})
_proxies: dict[str, list[str]] = {}  # address -> headers of its last request
FOR, PROTO, HOST = b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"


def true_scope(scope: Scope) -> Scope:
    """Return the scope of a request as its client made it: `client`, `scheme` and the Host header."""
    peer = str(scope["client"][0]) if scope.get("client") else ""
    headers = list(scope["headers"])
    is_secure = settings.PUBLIC_URL.startswith("https:")
    client = plain_address(peer)
    _note_proxy(client, headers)
    if is_trusted(peer):
        client = client_address(peer, headers)
        is_secure = is_secure or _last(headers, PROTO).lower() == "https"
        host = _last(headers, HOST)
        if host:
            others = [(name, value) for name, value in headers if name.lower() != b"host"]
            headers = [*others, (b"host", host.encode("latin1"))]
    scheme = "ws" if scope["type"] == "websocket" else "http"
    if is_secure:
        scheme += "s"
    port = scope["client"][1] if client == peer and peer else 0
    return {**scope, "client": [client, port], "scheme": scheme, "headers": headers}


# What `doctor` tells: few proxies stand before a Tempo, and whoever invents more is not noted.
def _note_proxy(peer: str, headers: Headers) -> None:
    said = sorted({name.lower().decode("latin1") for name, _ in headers} & FORWARDED)
    if (
        not said
        or _proxies.get(peer) == said
        or (peer not in _proxies and len(_proxies) >= MAX_PROXIES)
    ):
        return
    _proxies[peer] = said
    service_report.tell("proxies", dict(_proxies))


def is_trusted(peer: str) -> bool:
    address = _address(peer)
    return address is not None and _is_trusted(address)


def client_address(peer: str, headers: Headers) -> str:
    """Return the last address on the way here that is no trusted proxy's; the first one, if all are.

    Each proxy appends from whom it has the request: what stands before that may be invented.
    """
    way = _values(headers, FOR)
    client = plain_address(peer)
    while is_trusted(client) and way:
        address = _address(_without_port(way.pop()))
        if (
            address is None
        ):  # hidden, or no address at all: whoever wrote that is the last one known
            break
        client = str(address)
    return client


def plain_address(peer: str) -> str:
    """Return an address as people write it: an IPv4 address that came through an IPv6 socket is one of IPv4."""
    address = _address(peer)
    return peer if address is None else str(address)


def _is_trusted(address: _Address) -> bool:
    return any(address in network for network in settings.TRUSTED_PROXIES)


def _address(text: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def _without_port(text: str) -> str:
    # `192.0.2.7:1234` and `[2001:db8::7]:1234` of proxies that tell the port.
    if text.startswith("["):
        return text[1:].partition("]")[0]
    if text.count(":") == 1:
        return text.partition(":")[0]
    return text


def _values(headers: Headers, wanted: bytes) -> list[str]:
    lines = [value.decode("latin1") for name, value in headers if name.lower() == wanted]
    return [part.strip() for line in lines for part in line.split(",")]


def _last(headers: Headers, wanted: bytes) -> str:
    # The one of the proxy that speaks to us.
    return (_values(headers, wanted) or [""])[-1]
