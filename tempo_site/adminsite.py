"""Tempo's admin site: Django's admin in Tempo's frame, behind Tempo's own log-in page."""

from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, resolve_url


class TempoAdminSite(AdminSite):
    """One look and one log-in for both halves."""

    site_header = "Tempo"
    site_title = "Tempo"
    index_title = "Engine"
    enable_nav_sidebar = False  # our own navigation stands there

    @login_not_required
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:  # type: ignore[override]
        """Send strangers to the one log-in page (it counts attempts), and refuse those who may not enter."""
        if self.has_permission(request):
            return redirect("admin:index")
        if request.user.is_authenticated:
            raise PermissionDenied("The admin is for staff.\nhint: ask an administrator for staff status")
        target = request.GET.get("next", resolve_url("admin:index"))
        return redirect_to_login(target, resolve_url(settings.LOGIN_URL))


class LookOnly:
    """Mixed into a ModelAdmin or an inline: rows to look at."""

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False


class ReadOnlyAdmin(LookOnly, ModelAdmin):  # type: ignore[type-arg]  # no generic at run time
    """Rows that the machine wrote."""

    actions: Any = None
