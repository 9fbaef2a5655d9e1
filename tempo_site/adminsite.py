"""Tempo's admin site: Django's admin in Tempo's frame, behind Tempo's own log-in page."""

from datetime import datetime
from typing import Any, TypedDict

from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, resolve_url
from django.utils import timezone

from runs_app.history import history
from runs_app.models import Run, RunQuerySet
from tempo_site import auth
from tempo_site.models import AuditEntry

MAX_FAILURES = 8
MAX_CHANGES = 8
MAX_ACTIVE_RUNS = 50
ADMIN_IS_FOR_STAFF = "The admin is for staff.\nhint: ask an administrator for staff status"
APPS = ("scripts_app", "runs_app", "notifications_app", "tempo_site", "auth", "django_q")


class AdminIndexContext(TypedDict):
    now: datetime
    active_runs: RunQuerySet
    failed_runs: RunQuerySet
    changes: QuerySet[AuditEntry]


class TempoAdminSite(AdminSite):
    site_header = "Tempo"
    site_title = "Tempo"
    index_title = "Admin"
    site_url = None
    empty_value_display = "–"
    enable_nav_sidebar = False  # Tempo's own navigation stands there

    @login_not_required
    def login(  # type: ignore[override]  # a redirect, not a page
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        if self.has_permission(request):
            return redirect("admin:index")
        if isinstance(request.user, User):
            auth.require_staff(request.user, ADMIN_IS_FOR_STAFF)
        target = request.GET.get("next", resolve_url("admin:index"))
        return redirect_to_login(target, resolve_url(settings.LOGIN_URL))

    def password_change(  # type: ignore[override]  # a redirect, not a page
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return redirect("password")

    def index(  # type: ignore[override]  # a user is signed in
        self, request: auth.SignedInRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = admin_index_context(request.user, now=timezone.now())
        return super().index(request, {**context, **(extra_context or {})})

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        apps = {app["app_label"]: app for app in super().get_app_list(request, app_label)}
        if "auth" in apps and "tempo_site" in apps:
            users = apps.pop("auth")
            apps["tempo_site"]["models"] = [*users["models"], *apps["tempo_site"]["models"]]
        return sorted(apps.values(), key=_place_of_app)


def _place_of_app(app: dict[str, Any]) -> int:
    if app["app_label"] not in APPS:
        return len(APPS)
    return APPS.index(app["app_label"])


def admin_index_context(user: User, *, now: datetime) -> AdminIndexContext:
    acts = AuditEntry.objects.filter(actor=AuditEntry.Actor.USER, name=user.get_username())
    changes = acts.exclude(verb="logged in")
    return {
        "now": now,
        "active_runs": _with_subjects(Run.objects.active())[:MAX_ACTIVE_RUNS],
        "failed_runs": _with_subjects(Run.objects.filter(status__in=history.BAD))[:MAX_FAILURES],
        "changes": changes[:MAX_CHANGES],
    }


def _with_subjects(runs: RunQuerySet) -> RunQuerySet:
    # Newest first, with the names of scripts and environments and without their long texts.
    long_texts = ("environment__lock", "environment__requirements")
    return runs.newest_first().select_related("script", "environment").defer(*long_texts)
