"""Who may see the pages: channels, rules and deliveries are the staff's."""

import functools
from collections.abc import Callable

from django.http import HttpResponse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from tempo_site import auth

ONLY_STAFF = "Who is told of what is set by staff.\nhint: ask a user of the staff"

View = Callable[..., HttpResponse]


def for_staff(view: View) -> View:
    @functools.wraps(view)
    def checked(request: auth.SignedInRequest, *args: object, **kwargs: object) -> HttpResponse:
        auth.require_staff(request.user, ONLY_STAFF)
        return view(request, *args, **kwargs)

    return checked


def form_page(view: View) -> View:
    """Let a page of the staff be shown and its form be sent; no report of an error shows what the form held."""
    allowed = require_http_methods(["GET", "HEAD", "POST"])
    return allowed(sensitive_post_parameters()(for_staff(view)))
