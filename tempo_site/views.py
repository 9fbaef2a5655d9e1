"""Set-up, log-in, log-out, change of password; the dashboard, and the quick search of the palette."""

import sys
from typing import Any

from django.conf import settings
from django.contrib import auth, messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, LogoutView, PasswordChangeView
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse_lazy
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from django.views.defaults import server_error
from django_ratelimit.decorators import ratelimit

from tempo_site import api_errors
from tempo_site.auth import SignedInRequest
from tempo_site.bootstrap import first_start
from tempo_site.forms import SetupForm
from tempo_site.lib import storage_trouble, zone
from tempo_site.pages.dashboard import dashboard_context
from tempo_site.pages.quick_search import palette_context

LOGIN_RATE = "10/m"
MAX_WORDS = 200  # characters of a search
SETUP_OVER = """\
This set-up address does not hold, or not any more.
hint: Tempo prints it when it starts, until there is an admin"""


def is_without_users() -> bool:
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
    template_name = "password.html"
    success_url = reverse_lazy("dashboard")

    def form_valid(self, form: Any) -> HttpResponse:
        sentence = "Your password is changed. You are logged out everywhere but here."
        messages.success(self.request, sentence)
        return super().form_valid(form)


_password_page = PasswordPage.as_view()


@login_not_required
@ratelimit(key="ip", rate=LOGIN_RATE, method="POST", block=False)
def login(request: HttpRequest) -> HttpResponseBase:
    if _is_limited(request):
        return _too_many_attempts(request)
    return _login_page(request)


def _is_limited(request: HttpRequest) -> bool:
    return getattr(request, "limited", False)  # set by `ratelimit`


def _too_many_attempts(request: HttpRequest) -> HttpResponse:
    sentence = (
        "More than 10 attempts in a minute came from you.\nhint: wait a minute, then try again"
    )
    return render(request, "429.html", {"sentence": sentence}, status=429)


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@ratelimit(key="ip", rate=LOGIN_RATE, method="POST", block=False)
def setup(request: HttpRequest, token: str) -> HttpResponse:
    if _is_limited(request):
        return _too_many_attempts(request)
    if not first_start.is_open_for(token):
        raise Http404(SETUP_OVER)
    form = SetupForm(request.POST or None)
    if not form.is_valid():
        return render(request, "setup.html", {"form": form, "zones": zone.names()})
    try:
        user = first_start.finish(
            username=form.cleaned_data["username"],
            password=form.cleaned_data["password1"],
            time_zone=form.cleaned_data["time_zone"],
            now=timezone.now(),
        )
    except first_start.AlreadySetUp as error:
        raise Http404(SETUP_OVER) from error
    auth.login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return redirect("dashboard")


@login_not_required
def failed_page(request: HttpRequest) -> HttpResponse:
    """Answer for an exception that nobody caught: trouble with database or disk by its name, else a defect."""
    trouble = storage_trouble.trouble_of(sys.exc_info()[1])
    if trouble is None:
        return server_error(request)
    if request.path.startswith("/api/"):
        return api_errors.error(trouble.status, str(trouble))
    # Nothing in the page may ask the database again.
    page = render_to_string("503.html", {"trouble": trouble})
    return HttpResponse(page, status=trouble.status)


@login_not_required
def logout(request: HttpRequest) -> HttpResponseBase:
    return _logout_page(request)


@ratelimit(key="user", rate=LOGIN_RATE, method="POST", block=False)
def password(request: HttpRequest) -> HttpResponseBase:
    if _is_limited(request):
        return _too_many_attempts(request)
    return _password_page(request)


@require_safe
def jump(request: SignedInRequest) -> JsonResponse:
    words = request.GET.get("q", "")[:MAX_WORDS]
    return JsonResponse(palette_context(words, is_staff=request.user.is_staff))


@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    is_part = request.GET.get("part") == "live"
    template = "dashboard/_live.html" if is_part else "dashboard.html"
    return render(request, template, dashboard_context(timezone.now()))
