"""Log in, log out, the dashboard."""

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django_ratelimit.decorators import ratelimit

from runs_app import history
from runs_app.models import Run
from scripts_app.models import Schedule

LAST_RUNS = 10
NEXT_DUE = 10
LOGIN_RATE = "10/m"


def is_without_users() -> bool:
    """Whether nobody could log in."""
    return not User.objects.exists()


_login_page = LoginView.as_view(
    template_name="login.html",
    redirect_authenticated_user=True,
    extra_context={"is_without_users": is_without_users},  # the template asks after a failed try alone
)
_logout_page = LogoutView.as_view()


@login_not_required
@ratelimit(key="ip", rate=LOGIN_RATE, method="POST", block=False)
def login(request: HttpRequest) -> HttpResponseBase:
    """Log in; at most ten tries a minute from one address."""
    if getattr(request, "limited", False):
        sentence = (
            "More than 10 log-in attempts in a minute came from your address.\nhint: wait a minute, then try again"
        )
        return render(request, "429.html", {"sentence": sentence}, status=429)
    return _login_page(request)


@login_not_required
def logout(request: HttpRequest) -> HttpResponseBase:
    """Log out (POST)."""
    return _logout_page(request)


@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """What runs now, what ran last, what is due next."""
    rows = Run.objects.scripts().active().newest_first()
    due = Schedule.objects.armed().filter(alarm__isnull=False).select_related("script", "alarm")
    context = {
        "now": timezone.now(),
        "active_runs": rows.select_related("script", "environment"),
        "last_runs": history.page(limit=LAST_RUNS),
        "due_schedules": due.order_by("alarm__next_run")[:NEXT_DUE],
    }
    return render(request, "dashboard.html", context)
