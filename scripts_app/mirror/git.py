"""Calls of git: the program alone, with nothing of the machine's configuration, no hooks, and two transports."""

import base64
import os
import shlex
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

TIMEOUT_S = 120.0
MAX_COMPLAINT = 300
_CONFIGURATION = (
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("credential.helper", ""),
    ("gc.auto", "0"),
    ("http.followRedirects", "false"),
    ("protocol.allow", "never"),
    ("protocol.https.allow", "always"),
    ("protocol.ssh.allow", "always"),
)


class GitFailed(Exception):
    """What git refused or could not do, in its own words."""


def run(
    repository: Path,
    *arguments: str,
    stdin: Iterable[bytes] = (),
    more: Iterable[tuple[str, str]] = (),
    key_file: str = "",
) -> str:
    """Return what git prints. `more` is configuration, which other users of the machine do not see. Raise GitFailed."""
    try:
        with subprocess.Popen(
            ["git", f"--git-dir={repository}", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env=_environment(repository, [*_CONFIGURATION, *more], key_file),
            start_new_session=True,
        ) as program:
            output, errors = _finished(program, b"".join(stdin))
    except FileNotFoundError:
        raise GitFailed("the program git is not on this machine") from None
    if program.returncode:
        raise GitFailed(_complaint(errors, arguments[0]))
    return output.decode(errors="replace")


def authorization(address: str, token: str) -> list[tuple[str, str]]:
    """Return the configuration by which git shows a token to this address alone."""
    if not token or not address.startswith("https://"):
        return []
    shown = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    return [(f"http.{address}.extraHeader", f"Authorization: Basic {shown}")]


def _finished(program: "subprocess.Popen[bytes]", stdin: bytes) -> tuple[bytes, bytes]:
    try:
        return program.communicate(stdin, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        program.kill()
        raise GitFailed(f"git took longer than {TIMEOUT_S:.0f} s") from None


def _environment(
    repository: Path, configuration: list[tuple[str, str]], key_file: str
) -> Mapping[str, str]:
    ssh = ["ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new"]
    ssh += ["-o", f"UserKnownHostsFile={repository.parent / 'known_hosts'}"]
    if key_file:
        ssh += ["-o", "IdentitiesOnly=yes", "-i", key_file]
    found = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "LANG": "C.UTF-8",
        "HOME": str(repository.parent),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "https:ssh",
        "GIT_SSH_COMMAND": shlex.join(ssh),
        "GIT_CONFIG_COUNT": str(len(configuration)),
    }
    for number, (name, value) in enumerate(configuration):
        found[f"GIT_CONFIG_KEY_{number}"] = name
        found[f"GIT_CONFIG_VALUE_{number}"] = value
    return found


def _complaint(errors: bytes, what: str) -> str:
    lines = [line.strip() for line in errors.decode(errors="replace").splitlines() if line.strip()]
    told = "; ".join(line for line in lines if not line.startswith("hint:"))
    return told[:MAX_COMPLAINT] or f"git {what} failed"
