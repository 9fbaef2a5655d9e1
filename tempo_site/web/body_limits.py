"""How large a request's body may be: by its address, and by who sends it."""

import re
from collections.abc import Mapping

from channels.db import database_sync_to_async
from django.conf import settings

from tempo_site import auth

KB, MB = 2**10, 2**20
STRANGER_BYTES = 64 * KB  # before the caller is known; more than any log-in or set-up needs
API_BYTES = 4 * MB  # a script's text of 1 MB, however JSON writes its characters

# The first pattern that matches an address decides; whatever matches none is a page.
_UPLOAD = re.compile(r"/(?:api/v1/)?scripts/[^/?]+/files/?")
_RUNS = re.compile(r"/api/v1/(?:scripts/[^/?]+/runs|runs/.*)")
_API = re.compile(r"/api/.*")

OK, UNAUTHENTICATED, FORBIDDEN = 200, 401, 403


def ceiling(target: bytes) -> int:
    """Return the largest body in bytes for a request's target; an upload has a little around its files."""
    path = target.partition(b"?")[0].decode("latin1")
    if _UPLOAD.fullmatch(path):
        return (int(settings.MAX_UPLOAD_MB) + 1) * MB
    if _RUNS.fullmatch(path):
        return STRANGER_BYTES
    if _API.fullmatch(path):
        return API_BYTES
    return int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)


@database_sync_to_async
def status_of_caller(headers: Mapping[str, str]) -> int:
    """Return 200 when whoever sent these headers may send more than a stranger may, else 401 or 403."""
    key = auth.key_of_headers(headers)
    if key is not None:
        return OK if auth.is_enough(key.scope, auth.Scope.FULL) else FORBIDDEN
    return OK if auth.has_session(headers) else UNAUTHENTICATED
