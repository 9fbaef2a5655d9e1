"""Every connection of this process is checked, at the last moment and by the address that is really connected to.

An audit hook of Python hears each connect with its address, whichever library asks, and cannot be taken away again. By
then a name has been looked up, so that no second answer of the DNS can lead elsewhere.
"""

import socket
import sys
from typing import Any

from notifications_app.channels.addresses import AddressRefused, Policy

_CONNECTIONS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_PROGRAMS = frozenset({"subprocess.Popen", "os.exec", "os.fork", "os.posix_spawn", "os.system"})


def guard(policy: Policy) -> None:
    """Refuse, from now on and for ever, what the policy refuses, other sockets than TCP/IP's, and programs."""

    def check(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _CONNECTIONS:
            _check_connection(policy, *arguments)
        elif event in _PROGRAMS:
            raise AddressRefused("no program is started to send a message")

    sys.addaudithook(check)


def _check_connection(policy: Policy, connection: socket.socket, address: Any) -> None:
    if address is None:  # a datagram to where the socket is connected already
        return
    if connection.family not in (socket.AF_INET, socket.AF_INET6):
        raise AddressRefused("messages are sent over the network only")
    policy.check(str(address[0]), int(address[1]))
