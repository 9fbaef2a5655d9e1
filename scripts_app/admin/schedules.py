"""Admin of schedules: on pages of their own, and on the page of the script."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms.formsets import DELETION_FIELD_NAME
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from scripts_app import bulk
from scripts_app.admin.base import ActingAdmin, ActingMixin
from scripts_app.forms import ScheduleForm, WallClockField, zone_of
from scripts_app.models import Schedule, Script
from scripts_app.schedules import all_schedules, outlook, schedules
from tempo_site.admin_base import switch_chip
from tempo_site.lib import zone

STAYS = "The runs it started stay."
RHYTHM = (
    "kind",
    ("cron", "every_s"),
    ("at", "timezone"),
    ("start_at", "end_at"),
    ("jitter_s", "delay_s"),
    "enabled",
)
LATE_OR_LONG = (("overlap", "max_parallel"), ("missed", "missed_cap"))
TRIES = (("retries", "retry_backoff"), ("retry_delay_s", "retry_max_delay_s"))


class ScheduleAdminForm(ActingMixin, ScheduleForm):
    script = forms.ModelChoiceField(Script.objects.present())
    paused_until = WallClockField(
        required=False, label="Paused until", help_text="It starts nothing until then."
    )

    class Meta(ScheduleForm.Meta):
        fields = ("script", *ScheduleForm.Meta.fields, "paused_until")

    def act(self) -> Schedule:
        return schedules.save(self.instance, now=timezone.now())


class ScheduleRowForm(ActingMixin, ScheduleForm):
    class Meta(ScheduleForm.Meta):
        help_texts = {
            **dict.fromkeys(ScheduleForm.Meta.fields, ""),
            "cron": "Like `*/15 * * * mon-fri`, `@daily`.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        for name in ("at", "start_at", "end_at"):
            self.fields[name].help_text = ""

    def has_work(self) -> bool:
        to_delete = self.cleaned_data.get(DELETION_FIELD_NAME, False)
        has_script = self.instance.script_id is not None  # its script could be saved
        return self.has_changed() and not to_delete and has_script

    def act(self) -> Schedule:
        return schedules.save(self.instance, now=timezone.now())


class ScheduleFormSet(BaseInlineFormSet):  # type: ignore[type-arg]  # no generic at run time
    def clean(self) -> None:
        super().clean()
        if any("id" in form.errors for form in self.initial_forms):
            raise ValidationError(
                "A schedule of this page was deleted meanwhile\nhint: open the page again"
            )

    def save(self, commit: bool = True) -> list[Schedule]:
        to_delete = self.deleted_forms
        self.deleted_objects = [form.instance for form in to_delete if form.instance.pk]
        self.new_objects = []
        self.changed_objects = []
        saved = []
        for form in self.forms:
            if form in to_delete or not form.has_changed():
                continue
            saved.append(form.instance)
            if form in self.extra_forms:
                self.new_objects.append(form.instance)
            else:
                self.changed_objects.append((form.instance, form.changed_data))
        for schedule in self.deleted_objects:
            schedules.delete(schedule)
        return saved


class ScheduleInline(admin.StackedInline):  # type: ignore[type-arg]
    model = Schedule
    form = ScheduleRowForm
    formset = ScheduleFormSet
    template = "admin/scripts_app/script/schedules.html"
    fields = (
        ("kind", "cron", "every_s", "at"),
        ("timezone", "overlap", "missed", "enabled"),
        ("start_at", "end_at", "jitter_s", "delay_s"),
        ("max_parallel", "missed_cap"),
        ("retries", "retry_delay_s", "retry_backoff", "retry_max_delay_s"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Schedule]:
        return super().get_queryset(request).select_related("alarm", "script")

    def get_extra(self, request: HttpRequest, obj: Script | None = None, **_: Any) -> int:
        # Further forms come with JavaScript, or on a page of their own.
        return 0 if obj and obj.schedules.exists() else 1


@admin.register(Schedule)
class ScheduleAdmin(ActingAdmin):
    form = ScheduleAdminForm
    stays = STAYS
    change_form_template = "admin/scripts_app/schedule/change_form.html"
    facts = ("next_due", "paused_at", "anchor", "last_success_at", "stale_since", "message")
    list_display = ("script", "rhythm", "time_zone", "switch", "next_due")
    list_display_links = ("script", "rhythm")
    list_filter = ("kind", "enabled")
    list_select_related = ("script", "alarm")
    search_fields = ("script__name", "cron")
    actions = ("enable_selected", "disable_selected", "pause_selected", "resume_selected")
    places = (("Week and clashes", "schedule-list"), ("Pause everything…", "pause-all"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Schedule]:
        rows = super().get_queryset(request).filter(script__deleted_at=None)
        return outlook.with_pause(rows)

    def get_readonly_fields(self, request: HttpRequest, obj: Schedule | None = None) -> Any:
        if obj is None:
            return ()
        return ("script", *self.facts)

    def get_fieldsets(self, request: HttpRequest, obj: Schedule | None = None) -> Any:
        sheets = [
            (None, {"fields": ("script", *RHYTHM)}),
            ("Missed and overlapping starts", {"fields": LATE_OR_LONG}),
            ("Tries after a failure", {"fields": TRIES}),
        ]
        if obj is None:
            return [*sheets, ("Pause", {"fields": ("paused_until",)})]
        return [*sheets, ("Pause and state", {"fields": ("paused_until", *self.facts)})]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        context = {**context, "zones": zone.names()}
        return super().render_change_form(request, context, *args, **kwargs)

    def view_on_site(self, obj: Schedule) -> str:
        return reverse("script-schedule", args=[obj.script.slug])

    @admin.display(description="rhythm")
    def rhythm(self, schedule: Schedule) -> str:
        return schedule.describe()

    @admin.display(description="time zone", ordering="timezone")
    def time_zone(self, schedule: Schedule) -> str:
        return schedule.timezone

    @admin.display(description="state", ordering="enabled")
    def switch(self, schedule: Schedule) -> SafeString:
        return switch_chip(schedule.enabled)

    @admin.display(description="next due", ordering="alarm__next_run")
    def next_due(self, schedule: Schedule) -> str:
        start = outlook.next_start(schedule, timezone.now())
        return in_zone_of(schedule, start) if start else "–"

    def delete_one(self, row: Schedule) -> None:
        schedules.delete(row)

    @admin.action(description="Enable selected schedules")
    def enable_selected(self, request: HttpRequest, rows: QuerySet[Schedule]) -> None:
        self._change_each(request, rows, "Enabled", enabled=True)

    @admin.action(description="Disable selected schedules")
    def disable_selected(self, request: HttpRequest, rows: QuerySet[Schedule]) -> None:
        self._change_each(request, rows, "Disabled", enabled=False)

    @admin.action(description="Pause selected schedules for a day")
    def pause_selected(self, request: HttpRequest, rows: QuerySet[Schedule]) -> None:
        until = timezone.now() + timedelta(days=1)
        self._change_each(request, rows, "Paused for a day", paused_until=until)

    @admin.action(description="Resume selected schedules")
    def resume_selected(self, request: HttpRequest, rows: QuerySet[Schedule]) -> None:
        self._change_each(request, rows, "Resumed", paused_until=None)

    def _change_each(
        self, request: HttpRequest, rows: QuerySet[Schedule], done: str, **values: Any
    ) -> None:
        verb = partial(all_schedules.change, now=timezone.now(), **values)
        outcome = bulk.act_on_each(rows, verb)
        count = bulk.count_of_schedules(len(outcome.done))
        bulk.report(request, outcome, done=f"{done}: {count}.", name_of=str)


def in_zone_of(schedule: Schedule, moment: datetime) -> str:
    return f"{moment.astimezone(zone_of(schedule.timezone)):%Y-%m-%d %H:%M:%S %Z}"
