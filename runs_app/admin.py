"""Admin of runs: history to look at, and cancel."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from runs_app import execution
from runs_app.models import Run
from tempo_site.adminsite import ReadOnlyAdmin


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    """Runs are written by the machine; a person may cancel one."""

    actions = ("cancel_selected",)
    list_display = (
        "id",
        "subject",
        "status",
        "reason",
        "trigger",
        "by",
        "created_at",
        "duration_s",
        "exit_code",
        "page",
    )
    list_filter = ("status", "kind", "trigger")
    list_select_related = ("script", "environment")
    list_per_page = 50
    search_fields = ("script__name", "by")
    show_full_result_count = False

    @admin.display(description="of")
    def subject(self, run: Run) -> str:
        """The script, or the environment it built."""
        return str(run.script or run.environment or "-")

    @admin.display(description="page")
    def page(self, run: Run) -> SafeString:
        """Its page, with the output."""
        return format_html('<a href="{}">open</a>', reverse("run-detail", args=[run.pk]))

    @admin.action(description="Cancel selected runs", permissions=["cancel"])
    def cancel_selected(self, request: HttpRequest, rows: QuerySet[Run]) -> None:
        """Cancel what has not ended."""
        now, by = timezone.now(), request.user.get_username()
        cancelled = sum(execution.cancel(run, by=by, now=now) for run in rows)
        self.message_user(request, f"Cancelling {cancelled} of {len(rows)}: the others had ended.", messages.SUCCESS)

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Whoever could change runs, if anybody might."""
        return request.user.has_perm("runs_app.change_run")
