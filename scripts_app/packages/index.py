"""Where packages come from, as the administrator set it, and what a build is told of it."""

import os
import re
from pathlib import Path

from django.conf import settings

from tempo_site.lib import paths

SYSTEM_CERTIFICATES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)
# uv's own 30 s and three retries let an index that says nothing hold a build for over two minutes.
READ_TIMEOUT_S, RETRIES = 15, 2
_PROXY = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSL_CLIENT_CERT", "UV_SYSTEM_CERTS")
_INDEX = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL")
_PASSED_ON = (
    *_PROXY,
    *(name.lower() for name in _PROXY),
    *_CERTIFICATES,
    "REQUESTS_CA_BUNDLE",
    "TZ",
)


_LOGIN = re.compile(r"://[^\s/@]+@")


def secrets() -> dict[str, str]:
    """Those of a build's variables with an address that logs in; they are handed over as a script's secrets are."""
    return {name: value for name, value in _variables().items() if _LOGIN.search(value)}


def variables() -> dict[str, str]:
    """The other ones: of Tempo's own only proxies, certificates and the package index are passed on."""
    return {name: value for name, value in _variables().items() if not _LOGIN.search(value)}


def _variables() -> dict[str, str]:
    fixed = {
        "PATH": os.defpath,
        "HOME": str(paths.cache()),  # uv would read the credentials in a ~/.netrc
        "LANG": "C.UTF-8",
        "UV_CACHE_DIR": str(paths.cache() / "uv"),
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_CONFIG": "1",
        "UV_NO_PROGRESS": "1",
        "UV_HTTP_TIMEOUT": str(READ_TIMEOUT_S),
        "UV_HTTP_RETRIES": str(RETRIES),
        "NO_COLOR": "1",
    }
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return fixed | passed_on | _certificate_variables() | _index_variables()


def _certificate_variables() -> dict[str, str]:
    """Let uv trust what this machine trusts: by itself it knows the public authorities only, no company's proxy."""
    if any(name in os.environ for name in _CERTIFICATES) or not any(
        Path(path).exists() for path in SYSTEM_CERTIFICATES
    ):
        return {}
    return {"UV_SYSTEM_CERTS": "true"}


def _index_variables() -> dict[str, str]:
    found = {"UV_FIND_LINKS": settings.PACKAGE_FIND_LINKS} if settings.PACKAGE_FIND_LINKS else {}
    if settings.PACKAGE_TRUSTED_HOSTS:
        found["UV_INSECURE_HOST"] = " ".join(settings.PACKAGE_TRUSTED_HOSTS)
    if settings.PACKAGE_INDEX:
        return found | {"UV_DEFAULT_INDEX": settings.PACKAGE_INDEX}
    return found | {name: os.environ[name] for name in _INDEX if name in os.environ}
