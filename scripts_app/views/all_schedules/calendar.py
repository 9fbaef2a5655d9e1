"""The calendar of coming starts: the page that gives out its address, and the feed for calendars."""

from http import HTTPStatus

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from scripts_app.models import CalendarKey
from scripts_app.schedules import agenda, calendar_feed
from tempo_site import auth
from tempo_site.accounts import query_key, rate_limits
from tempo_site.lib import origins

UNKNOWN_KEY = (
    "This address does not hold, or not any more.\nhint: make a new one on the page Schedules\n"
)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_variables()
def calendar_page(request: auth.SignedInRequest) -> HttpResponse:
    address = ""
    if request.method == "POST" and request.POST.get("act") == "revoke":
        if calendar_feed.revoke(request.user):
            messages.success(request, "The address of your calendar holds no more.")
        return redirect("schedule-calendar")
    if request.method == "POST":
        token = calendar_feed.issue(request.user, now=timezone.now())
        path = f"{reverse('schedule-calendar-feed')}?{query_key.KEY}={token}"
        address = origins.absolute(request, path)
    context = {
        "now": timezone.now(),
        "key": CalendarKey.objects.filter(user=request.user).first(),
        "address": address,
        "days": calendar_feed.DAYS,
        "max_a_day": agenda.MAX_A_DAY,
    }
    return render(request, "schedules/calendar.html", context)


@login_not_required
@require_safe
@sensitive_variables()
def schedule_calendar_feed(request: HttpRequest) -> HttpResponse:
    """Tell a calendar what will start; a session does not open it, so that an address works everywhere or nowhere."""
    now = timezone.now()
    token = query_key.take_out(request)[: auth.MAX_TOKEN_LENGTH]
    if not calendar_feed.is_opened_by(token, now=now):
        rate_limits.require(rate_limits.WRONG_KEYS, rate_limits.address_of(request))
        return _closed(HttpResponse(UNKNOWN_KEY, status=HTTPStatus.FORBIDDEN), "text/plain")
    return _closed(HttpResponse(calendar_feed.text(now)), "text/calendar")


def _closed(response: HttpResponse, kind: str) -> HttpResponse:
    response.headers["Content-Type"] = f"{kind}; charset=utf-8"
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
