"""Set-up, log-in, log-out, change of password; dashboard, quick search of the palette, and settings."""

import logging
import sys
import time
from datetime import timedelta
from http import HTTPStatus
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
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.defaults import server_error

from scripts_app.mirror import mirror
from tempo_site import api_errors
from tempo_site.accounts import attempts, keys, rate_limits, sessions
from tempo_site.audit import reading, trail
from tempo_site.auth import SignedInRequest, require_staff
from tempo_site.bootstrap import first_start
from tempo_site.forms import AuditFilterForm, KeyForm, OwnPasswordForm, SectionForm, SetupForm
from tempo_site.lib import humanize, origins, storage_trouble, zone
from tempo_site.models import ApiKey, AuditEntry
from tempo_site.pages import guide, security_page
from tempo_site.pages.dashboard import dashboard_context
from tempo_site.pages.quick_search import palette_context
from tempo_site.pages.system_page import system_context
from tempo_site.stored_settings import store
from tempo_site.stored_settings.registry import SECTIONS

logger = logging.getLogger(__name__)

MAX_WORDS = 200  # characters of a search
SETUP_OVER = """\
This set-up address does not hold, or not any more.
hint: Tempo prints it when it starts, until there is an admin"""
KEYS_ARE_FOR_STAFF = "API keys are for staff.\nhint: ask a user of the staff"
AUDIT_IS_FOR_STAFF = "The audit is for staff.\nhint: ask a user of the staff"
AUDIT_PAGE = 100
OVERLAPS_H = (0, 1, 24, 7 * 24)
SYSTEM_IS_FOR_STAFF = "This page is for staff.\nhint: ask a user of the staff"
SETTINGS_ARE_FOR_STAFF = "Settings are for staff.\nhint: ask a user of the staff"

FORM_TOO_OLD = """\
The form was too old, or came from elsewhere.
hint: go back, reload the page and send it again"""


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
    form_class = OwnPasswordForm
    success_url = reverse_lazy("dashboard")

    def form_valid(self, form: Any) -> HttpResponse:
        sentence = "Your password is changed. You are logged out everywhere but here."
        messages.success(self.request, sentence)
        return super().form_valid(form)


_password_page = PasswordPage.as_view()


@login_not_required
def login(request: HttpRequest) -> HttpResponseBase:
    if request.method != "POST":
        return _login_page(request)
    username = request.POST.get("username", "")
    address = rate_limits.address_of(request)
    # An account's limit is one of each address: else whoever fails on purpose would keep its owner out.
    name = attempts.account_of(username)[: attempts.MAX_NAME]
    account = f"{name} {address}"
    if not attempts.is_known_device(request, name):
        rate_limits.require_room(rate_limits.LOG_IN_OF_ADDRESS, address)
        rate_limits.require_room(rate_limits.LOG_IN_OF_ACCOUNT, account)
    attempt = attempts.at_log_in(request, username, now=time.monotonic())
    if attempt.wait_s:
        return _too_many_attempts(request, attempt.wait_s)
    response = _login_page(request)
    if isinstance(request.user, User):
        attempt.succeeded(now=time.monotonic())
        sessions.limit_log_in(request)
        attempts.remember_device(response, request.user)
        trail.record("logged in", request.user)
    else:
        rate_limits.take(rate_limits.LOG_IN_OF_ADDRESS, address)
        rate_limits.take(rate_limits.LOG_IN_OF_ACCOUNT, account)
        _note_failed_log_in(request, username)
    return response


def _note_failed_log_in(request: HttpRequest, username: str) -> None:
    logger.warning("log-in failed address=%s", request.META.get("REMOTE_ADDR"))
    # A flood of them must not fill the disk; the log has each.
    if rate_limits.is_free(rate_limits.FAILED_LOG_INS_IN_AUDIT, "all"):
        is_known = User.objects.filter(username=username[: attempts.MAX_NAME]).exists()
        # Somebody may have typed the password there.
        trail.record("failed to log in", kind="user", name=username if is_known else "")


def _too_many_attempts(request: HttpRequest, wait_s: int) -> HttpResponse:
    sentence = f"Too many attempts failed.\nhint: try again in {humanize.whole_span(wait_s)}"
    response = render(request, "429.html", {"sentence": sentence}, status=429)
    response.headers["Retry-After"] = str(wait_s)
    return response


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def setup(request: HttpRequest, token: str) -> HttpResponse:
    if request.method == "POST":
        rate_limits.require(rate_limits.SET_UP, rate_limits.address_of(request))
        wait_s = attempts.at_set_up(request, now=time.monotonic()).wait_s
        if wait_s:
            return _too_many_attempts(request, wait_s)
    if not first_start.is_open_for(token):
        raise Http404(SETUP_OVER)
    form = SetupForm(request.POST or None)
    if not form.is_valid():
        return render(request, "setup.html", {"form": form, "zones": zone.names(), "token": token})
    try:
        user = first_start.finish(
            username=form.cleaned_data["username"],
            password=form.cleaned_data["password1"],
            time_zone=form.cleaned_data["time_zone"],
            now=timezone.now(),
        )
    except first_start.AlreadySetUp as error:
        raise Http404(SETUP_OVER) from error
    trail.record("set up", user)
    auth.login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    sessions.limit_log_in(request)
    return redirect("dashboard")


@login_not_required
def failed_page(request: HttpRequest) -> HttpResponse:
    """Answer for an exception that nobody caught: trouble with database or disk by its name, else a defect."""
    trouble = storage_trouble.trouble_of(sys.exc_info()[1])
    if trouble is None:
        return server_error(request)
    if request.path_info.startswith("/api/"):
        return api_errors.error(trouble.status, str(trouble))
    # Nothing in the page may ask the database again.
    page = render_to_string("503.html", {"trouble": trouble})
    return HttpResponse(page, status=trouble.status)


@login_not_required
def logout(request: HttpRequest) -> HttpResponseBase:
    return _logout_page(request)


def password(request: SignedInRequest) -> HttpResponseBase:
    if request.method != "POST":
        return _password_page(request)
    attempt = attempts.at_own_password(request.user, now=time.monotonic())
    if attempt.wait_s:
        return _too_many_attempts(request, attempt.wait_s)
    response = _password_page(request)
    if response.status_code == HTTPStatus.FOUND:
        attempt.succeeded(now=time.monotonic())
        attempts.remember_device(response, request.user)
        trail.record("changed the password", request.user)
    return response


def form_refused(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form without the right token, or from a page that does not count as one of ours."""
    sentence = origins.what_a_proxy_hides(request) or FORM_TOO_OLD
    return render(request, "403_csrf.html", {"sentence": sentence}, status=403)


@require_safe
def jump(request: SignedInRequest) -> JsonResponse:
    words = request.GET.get("q", "")[:MAX_WORDS]
    return JsonResponse(palette_context(words, is_staff=request.user.is_staff))


@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    is_part = request.GET.get("part") == "live"
    template = "dashboard/_live.html" if is_part else "dashboard.html"
    return render(request, template, dashboard_context(timezone.now()))


@require_safe
def help_first(request: HttpRequest) -> HttpResponse:
    words = request.GET.get("q", "")[:MAX_WORDS].strip()
    if not words:
        return redirect("help-page", next(iter(guide.TITLES)))
    context = {"titles": guide.TITLES, "words": words, "found": guide.find(words)}
    return render(request, "help/found.html", context)


@require_safe
def help_page(request: HttpRequest, name: str) -> HttpResponse:
    if name not in guide.TITLES:
        raise Http404(f"There is no page `{name[:80]}` of the guide.")
    context = {"titles": guide.TITLES, "page": guide.page(name)}
    return render(request, "help/page.html", context)


@require_safe
def system_page(request: SignedInRequest) -> HttpResponse:
    require_staff(request.user, SYSTEM_IS_FOR_STAFF)
    return render(request, "system.html", system_context(timezone.now()))


@require_safe
def settings_first(request: SignedInRequest) -> HttpResponse:
    require_staff(request.user, SETTINGS_ARE_FOR_STAFF)
    return redirect("settings", next(iter(SECTIONS)))


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters()
def settings_section(request: SignedInRequest, slug: str) -> HttpResponse:
    require_staff(request.user, SETTINGS_ARE_FOR_STAFF)
    section = SECTIONS.get(slug)
    if section is None:
        raise Http404(f"There are no settings `{slug}`.")
    rows = store.current(section)
    form = SectionForm(rows, request.POST or None)
    if form.is_valid():
        store.save(form.changes, by=request.user.get_username())
        messages.success(request, "The settings are saved.")
        return redirect("settings", slug)
    context = {
        "now": timezone.now(),
        "form": form,
        "rows": rows,
        "section": section,
        "sections": SECTIONS.values(),
        "last_change": store.last_change(rows),
        "mirror": mirror.state() if slug == "mirror" else None,
        "security": security_page.security_context() if slug == "security" else None,
    }
    return render(request, "settings/section.html", context)


@require_safe
def key_list(request: SignedInRequest) -> HttpResponse:
    require_staff(request.user, KEYS_ARE_FOR_STAFF)
    now = timezone.now()
    rows = [(key, key.has_expired(now=now)) for key in ApiKey.objects.select_related("created_by")]
    return render(
        request, "keys/list.html", {"now": now, "rows": rows, "sections": SECTIONS.values()}
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_variables()
def key_new(request: SignedInRequest) -> HttpResponse:
    require_staff(request.user, KEYS_ARE_FOR_STAFF)
    form = KeyForm(request.POST or None)
    if form.is_valid():
        try:
            key, token = keys.create(by=request.user, now=timezone.now(), **form.values)
        except keys.KeyRefused as refusal:
            form.add_error(_field_of(refusal), str(refusal))
        else:
            return _token_page(request, key, token)
    return render(request, "keys/edit.html", {"form": form, "key": None})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def key_edit(request: SignedInRequest, pk: int) -> HttpResponse:
    require_staff(request.user, KEYS_ARE_FOR_STAFF)
    key = _key(pk)
    form = KeyForm(request.POST or None, key=key)
    if form.is_valid():
        try:
            keys.change(key, now=timezone.now(), **form.values)
        except keys.KeyRefused as refusal:
            form.add_error(_field_of(refusal), str(refusal))
        else:
            messages.success(request, f"The key `{key.name}` is saved.")
            return redirect("key-list")
    context = {"form": form, "key": key, "now": timezone.now(), "overlaps": OVERLAPS_H}
    return render(request, "keys/edit.html", context)


@never_cache
@require_POST
@sensitive_variables()
def key_rotate(request: SignedInRequest, pk: int) -> HttpResponse:
    require_staff(request.user, KEYS_ARE_FOR_STAFF)
    key = _key(pk)
    hours = request.POST.get("overlap_hours", "0")
    overlap = timedelta(hours=int(hours) if hours in map(str, OVERLAPS_H) else 0)
    token = keys.rotate(key, overlap=overlap, now=timezone.now())
    return _token_page(request, key, token)


@require_http_methods(["GET", "HEAD", "POST"])
def key_revoke(request: SignedInRequest, pk: int) -> HttpResponse:
    require_staff(request.user, KEYS_ARE_FOR_STAFF)
    key = _key(pk)
    if request.method != "POST":
        return render(request, "keys/revoke.html", {"key": key})
    keys.revoke(key)
    messages.success(request, f"The key `{key.name}` is revoked.")
    return redirect("key-list")


@sensitive_variables()
def _token_page(request: HttpRequest, key: ApiKey, token: str) -> HttpResponse:
    example = origins.absolute(request, reverse("api-1:list_scripts"))
    return render(request, "keys/token.html", {"key": key, "token": token, "example": example})


def _key(pk: int) -> ApiKey:
    key = ApiKey.objects.filter(pk=pk).first() if pk < 2**63 else None
    if key is None:
        raise Http404(f"There is no API key {str(pk)[:20]}.")
    return key


def _field_of(refusal: keys.KeyRefused) -> str:
    return "expires_on" if refusal.field == "expires_at" else refusal.field


@require_safe
def audit(request: SignedInRequest) -> HttpResponse:
    require_staff(request.user, AUDIT_IS_FOR_STAFF)
    form = AuditFilterForm(request.GET)
    below = request.GET.get("below", "")
    is_number = below.isascii() and below.isdecimal() and len(below) < 19
    found = reading.entries(form.asked, below=int(below) if is_number else None)
    rows: list[AuditEntry] = list(found[: AUDIT_PAGE + 1])
    context = {
        "now": timezone.now(),
        "form": form,
        "entries": rows[:AUDIT_PAGE],
        "older": rows[AUDIT_PAGE - 1].pk if len(rows) > AUDIT_PAGE else None,
        "below": below,
        "sections": SECTIONS.values(),
    }
    return render(request, "audit.html", context)
