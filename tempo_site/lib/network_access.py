"""What programs get of the server's own way into the network: its variables of proxies and certificates."""

import functools
import os
from collections.abc import Iterator
from pathlib import Path

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_CERTIFICATES = (
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",  # folders, separated by colons
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "AWS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
    "PIP_CERT",
)
_SYSTEM = ("/etc/", "/usr/")  # which every program may read
NAMES = (*_PROXIES, *(name.lower() for name in _PROXIES), *_CERTIFICATES)


def variables() -> dict[str, str]:
    return {name: os.environ[name] for name in NAMES if name in os.environ}


def certificate_variables() -> dict[str, str]:
    return {name: os.environ[name] for name in _CERTIFICATES if name in os.environ}


def certificates() -> Iterator[tuple[str, str]]:
    """Yield the names of the variables of certificates with each absolute path in them."""
    for name in _CERTIFICATES:
        for place in os.environ.get(name, "").split(os.pathsep):
            if place.startswith("/"):
                yield name, place


def certificate_paths() -> list[str]:
    """Return the absolute paths of all certificates, and where links in their folders lead."""
    found: dict[str, None] = {}
    for place in {place: None for _, place in certificates()}:
        found[place] = None
        found.update(dict.fromkeys(_targets_of_links(place, _changed_at(place))))
    return list(found)


def _changed_at(place: str) -> int:
    try:
        return Path(place).stat().st_mtime_ns
    except OSError:
        return 0


@functools.lru_cache(maxsize=16)
def _targets_of_links(place: str, _mtime_ns: int) -> tuple[str, ...]:
    # OpenSSL finds a certificate by a link with the hash of its name. Hundreds of links take 15 ms, in front of a run.
    try:
        links = [entry for entry in Path(place).iterdir() if entry.is_symlink()]
    except OSError:  # a file, missing or closed
        return ()
    targets = map(os.path.realpath, links)
    return tuple(target for target in targets if not target.startswith(_SYSTEM))
