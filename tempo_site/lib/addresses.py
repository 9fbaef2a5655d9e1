"""Addresses of the network as they are counted."""

import functools
import ipaddress

SITE_BITS = 64  # of an IPv6 address: behind them, anybody may take any


@functools.lru_cache(maxsize=256)
def site_of(address: str) -> str:
    """Return whose address it is: of IPv4 the address, of IPv6 its network of 64 bits, else what was given."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return address
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found.packed, SITE_BITS), strict=False))
