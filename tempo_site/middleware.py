"""Middleware: the check of the Host header, the content security policy, the audit's net, static files."""

from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from whitenoise.middleware import WhiteNoiseMiddleware

from tempo_site.accounts.rate_limits import TooMany
from tempo_site.audit import net, trail
from tempo_site.lib import hosts

POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data:",  # the marks of statuses are in the style sheet
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
Handler = Callable[[HttpRequest], HttpResponse]


class HostMiddleware:
    """Refuses host names that are not this server's, before other code looks at the request."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            host = request.get_host()
        except DisallowedHost:  # not even the form of a name
            host = ""
        if hosts.is_allowed(host, settings.HOST_PATTERNS, public_url=settings.PUBLIC_URL):
            return self.get_response(request)
        text = (
            f"The name `{host[:200]}` is not one of this server's.\n"
            "hint: add it to PYSCHED_ALLOWED_HOSTS\n"
        )
        return HttpResponse(text, status=400, content_type="text/plain; charset=utf-8")


class PageMiddleware:
    """Own files only, no inline script or style, no frames; cookies of https for https alone; and nothing is kept.

    What the API tells is for its caller alone. A browser that shows an old page from its memory shows an old text in
    the editor, and lists without the newest runs.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        is_page = response.headers.get("Content-Type", "").startswith("text/html")
        if is_page or request.path_info.startswith("/api/"):
            response.headers["Cache-Control"] = "no-store"
        if request.is_secure():
            for cookie in response.cookies.values():
                cookie["secure"] = True
        return response


class AuditMiddleware:
    """Holds who sends a request for the rows of the audit, and says so where an act has left none."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with trail.serving(request):
            net.begin(request)
            response = self.get_response(request)
            if net.is_silent_act(request, response):
                net.catch(request)
            return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer a page that came too often; the API has a handler of its own."""
        if not isinstance(exception, TooMany):
            return None
        response = render(request, "429.html", {"sentence": str(exception)}, status=429)
        for name, value in exception.usage.headers.items():
            response.headers[name] = value
        return response


class StaticFilesMiddleware(WhiteNoiseMiddleware):
    """WhiteNoise that looks at a file when it is first asked for.

    By itself it looks at all of them at the start: 2 MB, and a tenth of a second before Tempo can be used.
    """

    def update_files_dictionary(self, root: str, prefix: str) -> None:
        self.directories.insert(0, (root, prefix))

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if not self.autorefresh and path not in self.files:
            found = self.find_file(path)
            if found is not None:
                self.files[path] = found
        response: HttpResponse = super().__call__(request)
        return response
