"""What messages may connect to: never link-local addresses, a cloud's metadata or Tempo itself."""

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# Link-local addresses are refused as such; these are the clouds' others.
METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "fd20:ce::254",
    )
)
# IPv6 addresses that stand for an IPv4 address in their last 32 bits.
_NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
_COMPATIBLE = ipaddress.ip_network("::/96")


class AddressRefused(OSError):
    """An address that messages may not be sent to."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What the settings allow: private networks or not, and the port of Tempo itself (0 for none)."""

    allows_private: bool = True
    own_port: int = 0

    def check(self, host: str, port: int) -> None:
        """Raise AddressRefused unless this IP address and port may be connected to."""
        try:
            address = _meant(ipaddress.ip_address(host.partition("%")[0]))
        except ValueError as error:
            raise AddressRefused(f"`{host}` is no IP address") from error
        if address.is_link_local or address in METADATA:
            raise AddressRefused(
                f"messages are never sent to {address}, an address of the network itself"
            )
        if address.is_multicast:
            raise AddressRefused(f"{address} is an address of many machines")
        if port == self.own_port and _is_of_this_machine(address):
            raise AddressRefused("messages are never sent to Tempo's own port")
        if not self.allows_private and not address.is_global:
            raise AddressRefused(
                f"{address} is in a private network, which PYSCHED_NOTIFY_PRIVATE refuses"
            )

    def check_url(self, url: str) -> None:
        """Raise AddressRefused for an address that is refused as it is written; names are looked up when sending."""
        try:
            parts = urlsplit(url)
            port = parts.port or {"https": 443}.get(parts.scheme, 80)
        except ValueError as error:
            raise AddressRefused("this is no address of the web") from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise AddressRefused("the address has to begin with `https://` or `http://`")
        if not url.isprintable() or " " in url:
            raise AddressRefused("the address has a space or a control character in it")
        try:
            parts.hostname.encode("idna")
        except UnicodeError as error:
            raise AddressRefused(f"`{parts.hostname}` is no name of a machine") from error
        host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname
        if _is_ip_address(host):
            self.check(host, port)


def _is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _meant(address: IPAddress) -> IPAddress:
    # The IPv4 address that an IPv6 address leads to, if it does.
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour or address
    is_compatible = address in _COMPATIBLE and int(address) > 1
    if is_compatible or any(address in network for network in _NAT64):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _is_of_this_machine(address: IPAddress) -> bool:
    if address.is_loopback or address.is_unspecified:
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))  # only an address of this machine can be bound
    except OSError:
        return False
    return True
