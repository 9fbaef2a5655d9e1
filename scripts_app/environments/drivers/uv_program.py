"""uv as the steps of a build call it: its output goes on to people, without the log-ins of indexes."""

import functools
import os
import re
import subprocess
from collections import deque
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

from scripts_app.environments.drivers import build_progress
from scripts_app.environments.drivers.build_config import BuildError

MESSAGE_LINES, MAX_MESSAGE = 20, 4000


def run(argv: list[str], *, cwd: Path, on_output: Callable[[str], None] | None = None) -> None:
    """Run uv; raise BuildError with its last lines when it fails."""
    # uv reports on stderr.
    last_lines: deque[str] = deque(maxlen=MESSAGE_LINES)
    with subprocess.Popen(
        argv,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        errors="replace",
    ) as process:
        assert process.stderr is not None
        try:
            for raw_line in process.stderr:
                line = raw_line.rstrip()
                for secret in _credentials():
                    line = line.replace(secret, "****")
                last_lines.append(line)
                build_progress.say(line)
                if on_output:
                    on_output(line)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        program = " ".join(argv[:3])
        error = subprocess.CalledProcessError(process.returncode, program)
        message = "\n".join(last_lines)[:MAX_MESSAGE] or str(error)
        raise BuildError(message, status=process.returncode)


@functools.lru_cache(maxsize=1)
def _credentials() -> list[str]:
    # The logins between `://` and `@` in all variables, as written and decoded; the longest are replaced first.
    found = set()
    for value in os.environ.values():
        for login in re.findall(r"://([^\s/@]+)@", value):
            user, _, password = login.partition(":")
            secret = password or user
            found |= {login, secret, unquote(login), unquote(secret)}
    return sorted(found - {""}, key=len, reverse=True)
