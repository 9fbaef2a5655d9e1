"""Which addresses of pages are this server's own: by the Host header, and by PYSCHED_PUBLIC_URL."""

from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest

MAX_SHOWN = 200


def is_own(origin: str, *, host: str, is_secure: bool) -> bool:
    """Whether a page of this origin is a page of this server, which was asked for as `host`."""
    if origin and origin == settings.PUBLIC_URL:
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    if is_secure and parts.scheme != "https":
        return False
    return bool(parts.netloc) and parts.netloc.lower() == host.lower()


def what_a_proxy_hides(request: HttpRequest) -> str:
    """Return why the page that sent this request does not count as one of ours, with what to set.

    Empty when its address is ours, or not told.
    """
    origin = request.headers.get("Origin") or _origin_of_referer(request)
    own = f"{request.scheme}://{request.get_host()}"
    if origin in ("", "null", own, settings.PUBLIC_URL):
        return ""
    shown = origin[:MAX_SHOWN]
    if settings.PUBLIC_URL:
        return (
            f"The form came from `{shown}`, and Tempo's address is `{settings.PUBLIC_URL}`.\n"
            "hint: open that address, or set PYSCHED_PUBLIC_URL to the one that you open"
        )
    return (
        f"The form came from `{shown}`, and Tempo takes `{own}` for its own address.\n"
        "hint: behind a proxy, set PYSCHED_PUBLIC_URL to the address that you open in the browser, or "
        "PYSCHED_TRUSTED_PROXIES to the proxy's address"
    )


def without_base(path: str) -> str:
    """Return the path of a request as Tempo's addresses are written, without PYSCHED_BASE_PATH.

    Some proxies take it off themselves.
    """
    base: str = settings.BASE_PATH
    if base and (path == base or path.startswith(f"{base}/")):
        return path.removeprefix(base) or "/"
    return path


def with_base(path: str) -> str:
    """Return one of Tempo's paths as browsers ask for it; one that has the base already is left alone."""
    return f"{settings.BASE_PATH}{without_base(path)}"


def site(request: HttpRequest) -> str:
    """Return the address of this server as people open it, without any path."""
    return settings.PUBLIC_URL or f"{request.scheme}://{request.get_host()}"


def absolute(request: HttpRequest, path: str) -> str:
    """Return the whole address of one of Tempo's paths, for people to copy."""
    return f"{site(request)}{with_base(path)}"


def _origin_of_referer(request: HttpRequest) -> str:
    # Browsers that send no Origin with a form.
    try:
        parts = urlsplit(request.headers.get("Referer", ""))
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
