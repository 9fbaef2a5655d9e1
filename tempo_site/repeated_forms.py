"""A form that is sent twice acts once: the second time is answered as the first was."""

import hashlib
import threading
import time
from dataclasses import dataclass, field

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from tempo_site.middleware import Handler

KEEP_S = 60.0
MAX_KEPT = 64
MAX_ANSWER_BYTES = 64 * 1024
TOKEN = "csrfmiddlewaretoken"
FOR_PROGRAMS = (
    "/api/",
    "/trigger/",
)  # a trigger's body is not parsed before its signature is known


@dataclass(kw_only=True)
class Sending:
    """One form of one page, sent: `lock` is held while it acts."""

    sent_at: float
    answer: HttpResponse | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class RepeatedFormMiddleware:
    """Answers a form that comes a second time from the same page, with the same content, as it was answered before.

    A double click, or an impatient second one, makes no second schedule, script or run; with or without JavaScript.
    Every page that is made has a CSRF token of its own look, so a form with the same token and the same content is the
    same form of the same page. Memory is enough: there is one `web`, and a minute is longer than any impatience.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response
        self._sendings: dict[bytes, Sending] = {}
        self._lock = threading.Lock()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not is_form(request):
            return self.get_response(request)
        sending = self._sending(digest_of(request), now=time.monotonic())
        with sending.lock:
            if sending.answer is not None:
                return copied(sending.answer)
            response = self.get_response(request)
            if may_be_repeated(response):
                sending.answer = copied(response)
            return response

    def _sending(self, digest: bytes, *, now: float) -> Sending:
        with self._lock:
            for old, sending in list(self._sendings.items()):
                is_old = now - sending.sent_at > KEEP_S or len(self._sendings) > MAX_KEPT
                if is_old and not sending.lock.locked():
                    del self._sendings[old]
            return self._sendings.setdefault(digest, Sending(sent_at=now))


def is_form(request: HttpRequest) -> bool:
    """Whether a browser sends a form of a page and asks for a page: a script in the page asks for anything."""
    if request.method != "POST" or request.path_info.startswith(FOR_PROGRAMS):
        return False
    return "text/html" in request.headers.get("Accept", "") and TOKEN in request.POST


def digest_of(request: HttpRequest) -> bytes:
    """Return what names a form of one page with its content, for one session."""
    session = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    parts = [session, request.get_full_path()]
    for name, values in request.POST.lists():
        parts += [name, *map(str, values)]
    for name, files in request.FILES.lists():
        parts += [name, *(f"{file.name} {file.size}" for file in files)]
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode(errors="surrogatepass")
        digest.update(b"%d %b" % (len(data), data))
    return digest.digest()


def may_be_repeated(response: HttpResponseBase) -> bool:
    """Whether an answer is that of an act, and small; after an error the form may be sent again."""
    if response.status_code >= 400 or not isinstance(response, HttpResponse):
        return False
    return len(response.content) <= MAX_ANSWER_BYTES


def copied(response: HttpResponse) -> HttpResponse:
    copy = HttpResponse(response.content, status=response.status_code, headers=response.headers)
    copy.cookies = response.cookies
    return copy
