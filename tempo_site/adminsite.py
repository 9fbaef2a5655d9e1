"""Tempo's admin site: Django's admin in Tempo's frame, behind Tempo's own log-in page."""

from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.admin.models import LogEntry
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, resolve_url
from django.utils import timezone

from runs_app.history import history
from runs_app.models import Run, RunQuerySet
from tempo_site import auth, health

LAST_FAILURES = 8
LAST_CHANGES = 8
MAX_SHOWN = 50
APPS = ("scripts_app", "runs_app", "tempo_site", "auth", "django_q")


class TempoAdminSite(AdminSite):
    """One look and one log-in for both halves."""

    site_header = "Tempo"
    site_title = "Tempo"
    index_title = "Engine"
    site_url = None
    enable_nav_sidebar = False  # our own navigation stands there

    @login_not_required
    def login(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        """Send strangers to the one log-in page (it counts attempts), and refuse those who may not enter."""
        if self.has_permission(request):
            return redirect("admin:index")
        if request.user.is_authenticated:
            raise PermissionDenied(
                "The admin is for staff.\nhint: ask an administrator for staff status"
            )
        target = request.GET.get("next", resolve_url("admin:index"))
        return redirect_to_login(target, resolve_url(settings.LOGIN_URL))

    def password_change(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The same page for everybody's own password."""
        return redirect("password")

    def index(  # type: ignore[override]
        self, request: auth.SignedInRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The engine at a glance, above the list of all rows."""
        return super().index(request, {**overview(request), **(extra_context or {})})

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """In the order of use; the users stand beside the keys."""
        apps = {app["app_label"]: app for app in super().get_app_list(request, app_label)}
        users = apps.pop("auth", None) if "tempo_site" in apps else None
        if users:
            apps["tempo_site"]["models"] = [*users["models"], *apps["tempo_site"]["models"]]
        return sorted(
            apps.values(),
            key=lambda app: APPS.index(app["app_label"]) if app["app_label"] in APPS else 99,
        )


def overview(request: auth.SignedInRequest) -> dict[str, Any]:
    """How the engine's parts are, what runs now, what failed lately, what this user changed: four queries at most."""
    state = health.health_report()
    changes = LogEntry.objects.filter(user_id=request.user.pk).select_related("content_type")
    return {
        "now": timezone.now(),
        "health": state,
        "active_runs": _with_subjects(Run.objects.active())[:MAX_SHOWN],
        "failed_runs": _with_subjects(Run.objects.filter(status__in=history.BAD))[:LAST_FAILURES],
        "changes": changes[:LAST_CHANGES],
    }


def _with_subjects(runs: RunQuerySet) -> RunQuerySet:
    """Newest first, with the names of what they ran and without its long texts."""
    long_texts = ("environment__lock", "environment__requirements")
    return runs.newest_first().select_related("script", "environment").defer(*long_texts)
