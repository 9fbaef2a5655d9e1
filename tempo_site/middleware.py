"""What every answer passes through: the Host check, the content security policy, and that pages are not kept."""

from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse

from tempo_site.lib import hosts

POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data:",  # the API page's own icons are data: pictures
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
Handler = Callable[[HttpRequest], HttpResponse]


class HostMiddleware:
    """Refuses names that are not ours, before anything looks at the request."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer 400 to a foreign Host header."""
        try:
            host = request.get_host()
        except DisallowedHost:  # not even the form of a name
            host = ""
        if hosts.is_allowed(host, settings.HOST_PATTERNS):
            return self.get_response(request)
        return HttpResponse(
            f"The name `{host[:200]}` is not one of this server's.\nhint: add it to PYSCHED_ALLOWED_HOSTS\n",
            status=400,
            content_type="text/plain; charset=utf-8",
        )


class PageMiddleware:
    """Own files only, no inline script or style, no frames; and whoever comes back to a page gets it anew.

    A browser that shows an old page from its memory shows an old text in the editor, and lists without the newest runs.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Add the policy to every answer, and to pages that they are not to be kept."""
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        if response.headers.get("Content-Type", "").startswith("text/html"):
            response.headers["Cache-Control"] = "no-store"
        return response
