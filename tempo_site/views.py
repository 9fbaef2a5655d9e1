"""Set up, log in, log out, change the password; the dashboard, and where the palette leads."""

from typing import Any

from django.conf import settings
from django.contrib import auth, messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, LogoutView, PasswordChangeView
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from django_ratelimit.decorators import ratelimit

from tempo_site.auth import SignedInRequest
from tempo_site.bootstrap import first_start
from tempo_site.forms import SetupForm
from tempo_site.lib import zone
from tempo_site.pages.dashboard import dashboard_context
from tempo_site.pages.quick_search import targets

LOGIN_RATE = "10/m"
SETUP_OVER = """\
This set-up address does not hold, or not any more.
hint: Tempo prints it when it starts, until there is an admin"""


def is_without_users() -> bool:
    """Whether nobody could log in."""
    return not User.objects.exists()


_login_page = LoginView.as_view(
    template_name="login.html",
    redirect_authenticated_user=True,
    extra_context={
        "is_without_users": is_without_users,  # the template asks after a failed try alone
        "is_waiting_for_setup": first_start.is_waiting,
    },
)
_logout_page = LogoutView.as_view()


class PasswordPage(PasswordChangeView):
    """A user's own password; other browsers that are logged in as this user are logged out by it."""

    template_name = "password.html"
    success_url = reverse_lazy("dashboard")

    def form_valid(self, form: Any) -> HttpResponse:
        """Store it and say so."""
        messages.success(
            self.request, "Your password is changed. You are logged out everywhere but here."
        )
        return super().form_valid(form)


_password_page = PasswordPage.as_view()


@login_not_required
@ratelimit(key="ip", rate=LOGIN_RATE, method="POST", block=False)
def login(request: HttpRequest) -> HttpResponseBase:
    """Log in; at most ten tries a minute from one address."""
    return _refusal_of_many(request) if getattr(request, "limited", False) else _login_page(request)


def _refusal_of_many(request: HttpRequest) -> HttpResponse:
    sentence = (
        "More than 10 attempts in a minute came from you.\nhint: wait a minute, then try again"
    )
    return render(request, "429.html", {"sentence": sentence}, status=429)


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@ratelimit(key="ip", rate=LOGIN_RATE, method="POST", block=False)
def setup(request: HttpRequest, token: str) -> HttpResponse:
    """Make the first admin, under the one-time address that the console shows; nothing is here for any other token."""
    if getattr(request, "limited", False):
        return _refusal_of_many(request)
    if not first_start.is_open_for(token):
        raise Http404(SETUP_OVER)
    form = SetupForm(request.POST or None)
    if not form.is_valid():
        return render(request, "setup.html", {"form": form, "zones": zone.names()})
    given = form.cleaned_data
    try:
        user = first_start.finish(
            username=given["username"],
            password=given["password1"],
            time_zone=given["time_zone"],
            now=timezone.now(),
        )
    except first_start.AlreadySetUp as error:
        raise Http404(SETUP_OVER) from error
    auth.login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return redirect("dashboard")


@login_not_required
def logout(request: HttpRequest) -> HttpResponseBase:
    """Log out (POST)."""
    return _logout_page(request)


@ratelimit(key="user", rate=LOGIN_RATE, method="POST", block=False)
def password(request: HttpRequest) -> HttpResponseBase:
    """Change one's own password; whoever found an open browser may guess the old one ten times a minute."""
    return (
        _refusal_of_many(request) if getattr(request, "limited", False) else _password_page(request)
    )


@require_safe
def jump(request: SignedInRequest) -> JsonResponse:
    """Where the letters in `?q=` may lead, for the palette: `{items: [{label, place, url}]}`."""
    return JsonResponse(
        {"items": targets(request.GET.get("q", "")[:200], is_staff=request.user.is_staff)}
    )


@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """How the service does, live; `?part=live` is the part that changes."""
    now = timezone.now()
    template = "dashboard/_live.html" if request.GET.get("part") == "live" else "dashboard.html"
    return render(request, template, {"now": now, **dashboard_context(now)})
