"""Calls of git: the program alone, with nothing of the machine's configuration, no hooks, and two transports."""

import base64
import contextlib
import os
import shlex
import signal
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from tempo_site.lib import network_access

TIMEOUT_S = 120.0
PUSH_TIMEOUT_S = 1800.0  # a long history over a slow line
SILENT_S = 30  # that a server may be silent
MAX_COMPLAINT = 300
_CONFIGURATION = (
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("credential.helper", ""),
    ("gc.auto", "0"),
    ("http.followRedirects", "false"),
    ("http.lowSpeedLimit", "1"),
    ("http.lowSpeedTime", str(SILENT_S)),
    ("protocol.allow", "never"),
    ("protocol.https.allow", "always"),
    ("protocol.ssh.allow", "always"),
)
# What git and ssh say, and what it means for the person who set the mirror up.
_MEANINGS = {
    "Host key verification failed": "the host shows another key than before: if it has a new one, remove its line from "
    "`mirror/known_hosts` of the data folder",
    "Permission denied (": "the key file is not accepted there",
    "terminal prompts disabled": "the token is missing, or is not accepted there",
    "Authentication failed": "the token is not accepted there",
    "error: 403": "the token may not write there",
    "certificate": "its certificate is not trusted: name the file of its authority in `SSL_CERT_FILE`",
    "not found": "there is no such repository, or the token may not see it",
    "Operation too slow": "the server was silent for too long",
}


class GitFailed(Exception):
    """What git refused or could not do: what that means where it is known, and git's own words."""


def run(
    repository: Path,
    *arguments: str,
    stdin: Iterable[bytes] = (),
    more: Iterable[tuple[str, str]] = (),
    key_file: str = "",
    timeout_s: float = TIMEOUT_S,
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
            output, errors = _finished(program, b"".join(stdin), timeout_s)
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


def _finished(
    program: "subprocess.Popen[bytes]", stdin: bytes, timeout_s: float
) -> tuple[bytes, bytes]:
    try:
        return program.communicate(stdin, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        # With the programs that it started: ssh, or the one for https.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
        raise GitFailed(f"git took longer than {timeout_s:.0f} s") from None


def _environment(
    repository: Path, configuration: list[tuple[str, str]], key_file: str
) -> Mapping[str, str]:
    ssh = ["ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new"]
    ssh += ["-o", f"ConnectTimeout={SILENT_S}", "-o", f"ServerAliveInterval={SILENT_S}"]
    ssh += ["-o", f"UserKnownHostsFile={repository.parent / 'known_hosts'}"]
    if key_file:
        ssh += ["-o", "IdentitiesOnly=yes", "-i", key_file]
    network = network_access.variables()
    found = {
        **network,
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
    if "SSL_CERT_FILE" in network:  # which git does not know
        found.setdefault("GIT_SSL_CAINFO", network["SSL_CERT_FILE"])
    for number, (name, value) in enumerate(configuration):
        found[f"GIT_CONFIG_KEY_{number}"] = name
        found[f"GIT_CONFIG_VALUE_{number}"] = value
    return found


def _complaint(errors: bytes, what: str) -> str:
    whole = errors.decode(errors="replace")
    lines = [line.strip() for line in whole.splitlines()]
    # ssh draws a frame of `@` around its warnings, which fills a sentence.
    told = "; ".join(line for line in lines if line and not line.startswith(("hint:", "@")))
    told = told[:MAX_COMPLAINT] or f"git {what} failed"
    for sign, meaning in _MEANINGS.items():
        if sign in whole:
            return f"{meaning} (git: {told})"
    return told
