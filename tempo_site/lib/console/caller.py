"""Who gives a command: the name that is stored beside what it does."""

import os


def name() -> str:
    return f"command: {os.environ.get('USER') or os.getuid()}"
