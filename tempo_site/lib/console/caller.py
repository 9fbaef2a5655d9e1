"""Who gives a command: the name that is stored beside what it does."""

import os
import pwd


def name() -> str:
    return f"command: {user()}"


def user() -> str:
    """Return the user who gives the command, before `sudo`; of a user without a name the number."""
    said = os.environ.get("SUDO_USER") or os.environ.get("USER")
    if said:
        return said
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
