"""The variables of a build: the package index, proxies and certificates, as the administrator set them."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from django.conf import settings

from tempo_site.lib import network_access, paths

SYSTEM_CERTIFICATES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)
# With uv's own 30 s and three retries a silent index would hold a build for over two minutes.
READ_TIMEOUT_S, RETRIES = 15, 2
DEFAULT = "https://pypi.org/simple/"  # of uv
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSL_CLIENT_CERT", "UV_SYSTEM_CERTS")
_INDEX = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL")
_PASSED_ON = ("SSL_CLIENT_CERT", "UV_SYSTEM_CERTS", "TZ")
_LOGIN = re.compile(r"://[^\s/@]+@")


def secrets() -> dict[str, str]:
    """Return the variables with credentials in an address, to be handed over like the secrets of a script."""
    return {name: value for name, value in _all_variables().items() if _LOGIN.search(value)}


def log_ins() -> list[str]:
    """Return the names of the variables that let a build in where others are not: addresses, and a key of TLS."""
    certificate = [name for name in ("SSL_CLIENT_CERT",) if name in os.environ]
    return sorted([*secrets(), *certificate])


def without_log_ins(text: str) -> str:
    return _LOGIN.sub("://", text)


def plain_address() -> str:
    """Return where the index is, without a log-in: the one that is set, or uv's default."""
    found = _index_variables()
    named = found.get("UV_DEFAULT_INDEX") or found.get("UV_INDEX_URL") or DEFAULT
    return without_log_ins(named)


def variables() -> dict[str, str]:
    return {name: value for name, value in _all_variables().items() if not _LOGIN.search(value)}


def local_places() -> list[str]:
    """Return the absolute paths of this machine that a build reads: certificates, and a folder of packages."""
    places = (settings.PACKAGE_FIND_LINKS, os.environ.get("SSL_CLIENT_CERT", ""))
    local = [place for place in places if place.startswith("/")]
    return [*network_access.certificate_paths(), *local]


def _all_variables() -> dict[str, str]:
    found = {
        "PATH": os.defpath,
        "HOME": str(paths.cache()),  # hides the credentials in a ~/.netrc from uv
        "LANG": "C.UTF-8",
        "UV_CACHE_DIR": str(paths.cache() / "uv"),
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_CONFIG": "1",
        "UV_NO_PROGRESS": "1",
        "UV_HTTP_TIMEOUT": str(READ_TIMEOUT_S),
        "UV_HTTP_RETRIES": str(RETRIES),
        "NO_COLOR": "1",
    }
    found.update(network_access.variables())
    found.update(_from_environment(_PASSED_ON))
    if _uses_system_certificates():
        found["UV_SYSTEM_CERTS"] = "true"
    found.update(_index_variables())
    return found


def _from_environment(names: Iterable[str]) -> dict[str, str]:
    return {name: os.environ[name] for name in names if name in os.environ}


def _uses_system_certificates() -> bool:
    # By itself uv trusts the public authorities only, not the proxy of a company.
    if _from_environment(_CERTIFICATES):
        return False
    return any(Path(path).exists() for path in SYSTEM_CERTIFICATES)


def _index_variables() -> dict[str, str]:
    found = {}
    if settings.PACKAGE_FIND_LINKS:
        found["UV_FIND_LINKS"] = settings.PACKAGE_FIND_LINKS
    if settings.PACKAGE_TRUSTED_HOSTS:
        found["UV_INSECURE_HOST"] = " ".join(settings.PACKAGE_TRUSTED_HOSTS)
    if settings.PACKAGE_INDEX:
        found["UV_DEFAULT_INDEX"] = settings.PACKAGE_INDEX
    else:
        found.update(_from_environment(_INDEX))
    return found
