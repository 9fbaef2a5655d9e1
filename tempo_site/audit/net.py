"""The net below the audit: a request that acted and left no row is recorded by its address, and logged."""

import logging

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from tempo_site.audit import trail

logger = logging.getLogger(__name__)

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# Names of addresses that take a POST and change nothing that is kept, each with its reason.
HARMLESS = {
    "api-1:check_text": "looks at a text",
    "api-1:preview_schedule": "computes moments",
    "schedule-preview": "computes moments",
    "api-1:save_draft": "a text that is being typed; the version that is made of it is recorded",
    "logout": "ends a session; the log-in is recorded",
}


def is_silent_act(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Whether a request changed something, as far as its method and its answer tell, and no row says so."""
    if request.method in SAFE_METHODS or getattr(request, "is_audited", False):
        return False
    if not 200 <= response.status_code < 400 or view_name(request) in HARMLESS:
        return False
    # A page that answers with itself shows a form again, or a part of it.
    is_page = response.headers.get("Content-Type", "").startswith("text/html")
    return not (response.status_code == 200 and is_page)


def catch(request: HttpRequest) -> None:
    """Record a request that acted, by what its address says."""
    name = view_name(request)
    logger.warning("a request left no entry in the audit view=%s", name)
    kwargs = request.resolver_match.kwargs if request.resolver_match else {}
    trail.record("sent", kind="request", name=name, changes=kwargs)


def view_name(request: HttpRequest) -> str:
    return request.resolver_match.view_name if request.resolver_match else ""
