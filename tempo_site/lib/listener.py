"""The socket that the launcher listens on and hands over to `web`."""

import os
import socket

LISTEN_FD = 3


def port() -> int:
    """Return the port that Tempo can be reached at; 0 in a process that was handed no socket."""
    try:
        with socket.socket(fileno=os.dup(LISTEN_FD)) as listener:
            is_listening = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            return int(listener.getsockname()[1]) if is_listening else 0
    except (OSError, TypeError, LookupError, ValueError):  # no socket, or one of another kind
        return 0
