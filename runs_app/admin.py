"""Admin of runs: history to look at, the output beside it, cancel and run again."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from runs_app.execution import execution
from runs_app.forms import UrlTriggerAdminForm
from runs_app.history.history import LONG_TEXTS
from runs_app.models import Run
from runs_app.output import console
from runs_app.programs import registry
from runs_app.states import Trigger
from runs_app.triggers import confirmation, triggers
from runs_app.url_triggers import trigger_settings
from runs_app.url_triggers.models import UrlTrigger
from runs_app.views import detail
from tempo_site import auth
from tempo_site.admin_base import ReadOnlyAdmin, RowAdmin, chip, switch_chip
from tempo_site.lib import humanize


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    """Runs are written by the machine; a person may cancel one, or run its script again."""

    acts = ("cancel", "again")
    actions = ("cancel_selected",)
    change_form_template = "admin/runs_app/run/change_form.html"
    list_display = ("number", "subject", "state", "asked_by", "created_at", "duration", "exit_code")
    list_filter = ("status", "kind", "trigger")
    list_select_related = ("script", "environment")
    search_fields = ("script__name", "by")
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        rows = super().get_queryset(request)
        related = rows.select_related("script", "schedule", "version", "environment")
        return related.defer(*LONG_TEXTS)

    @admin.display(description="run", ordering="id")
    def number(self, run: Run) -> str:
        return run.label

    @admin.display(description="of")
    def subject(self, run: Run) -> str:
        return registry.program_of(run).title(run)

    @admin.display(description="status", ordering="status")
    def state(self, run: Run) -> SafeString:
        return chip(run.status, run.get_status_display())

    @admin.display(description="trigger", ordering="trigger")
    def asked_by(self, run: Run) -> str:
        trigger = run.get_trigger_display()
        return f"{trigger} by {run.by}" if run.by else trigger

    @admin.display(description="duration", ordering="duration_s")
    def duration(self, run: Run) -> str:
        if run.duration_s is None:
            return "–"
        return humanize.span(run.duration_s)

    def view_on_site(self, obj: Run) -> str:
        return reverse("run-detail", args=[obj.pk])

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        run: Run = context["original"]
        page = {**detail.run_page_context(run), "console": console.console_of_run(run)}
        return super().render_change_form(request, {**context, **page}, *args, **kwargs)

    def do_cancel(self, request: auth.SignedInRequest, run: Run) -> None:
        if execution.cancel(run, by=request.user.get_username(), now=timezone.now()):
            self.message_user(request, f"Cancelling {run}.", messages.SUCCESS)
        else:
            self.message_user(request, f"{run} had ended already.", messages.INFO)

    def do_again(self, request: auth.SignedInRequest, run: Run) -> HttpResponse | None:
        by = request.user.get_username()
        try:
            other = confirmation.start_again(run, trigger=Trigger.ADMIN, by=by, now=timezone.now())
        except triggers.Refused as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
            return None
        dropped = triggers.dropped_inputs(run)
        if dropped:
            self.message_user(request, dropped, messages.WARNING)
        return redirect("admin:runs_app_run_change", other.pk)

    @admin.action(description="Cancel selected runs")
    def cancel_selected(self, request: auth.SignedInRequest, rows: QuerySet[Run]) -> None:
        now = timezone.now()
        by = request.user.get_username()
        cancelled = sum(execution.cancel(run, by=by, now=now) for run in rows)
        sentence = f"Cancelling {cancelled} of {len(rows)}"
        ended = len(rows) - cancelled
        if ended:
            sentence += f": {ended} had ended"
        self.message_user(request, f"{sentence}.", messages.SUCCESS)


@admin.register(UrlTrigger)
class UrlTriggerAdmin(RowAdmin):
    """Switches and rules of a script's trigger; keys and secrets are made on its tab, which shows them once."""

    form = UrlTriggerAdminForm
    fields = ("script", *trigger_settings.FIELDS)
    stays = "Whoever calls its address is told what is told of unknown ones."
    list_display = ("script", "switch", "scheme", "started", "ignored", "refused")
    list_filter = ("enabled", "scheme")
    list_select_related = ("script",)
    search_fields = ("script__name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[UrlTrigger]:
        rows: QuerySet[UrlTrigger] = super().get_queryset(request)
        return rows.filter(script__deleted_at=None)

    def get_readonly_fields(self, request: HttpRequest, obj: UrlTrigger | None = None) -> Any:
        if obj is None:
            return ()
        return ("script",)

    @admin.display(description="state", ordering="enabled")
    def switch(self, trigger: UrlTrigger) -> SafeString:
        return switch_chip(trigger.enabled)

    def view_on_site(self, obj: UrlTrigger) -> str:
        return reverse("script-trigger", args=[obj.script.slug])

    def save_model(self, request: HttpRequest, obj: UrlTrigger, form: Any, change: bool) -> None:
        changes = {name: form.cleaned_data[name] for name in trigger_settings.FIELDS}
        obj.pk = trigger_settings.update(obj.script, changes).pk
