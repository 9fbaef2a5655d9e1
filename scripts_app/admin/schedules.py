"""Admin of schedules: on a page of their own, and within their script's."""

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

from scripts_app.admin.base import ActingAdmin, ActingMixin
from scripts_app.forms import ScheduleForm, WallClockField, zone_of
from scripts_app.models import Schedule, Script
from scripts_app.schedules import schedules
from tempo_site.lib import zone

STAYS = "The runs it started stay."


class ScheduleAdminForm(ActingMixin, ScheduleForm):
    """The form of a schedule, with the script to choose."""

    script = forms.ModelChoiceField(Script.objects.present())
    paused_until = WallClockField(
        required=False, label="Paused until", help_text="It starts nothing until then."
    )

    class Meta(ScheduleForm.Meta):
        fields = ("script", *ScheduleForm.Meta.fields, "paused_until")

    def act(self) -> Schedule:
        """Save and arm."""
        return schedules.save(self.instance, now=timezone.now())


class ScheduleRowForm(ActingMixin, ScheduleForm):
    """A schedule among those of its script."""

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

    def is_meant(self) -> bool:
        """Changed, not to be deleted, and of a script that could be saved."""
        is_to_go = self.cleaned_data.get(DELETION_FIELD_NAME, False)
        return self.has_changed() and not is_to_go and self.instance.script_id is not None

    def act(self) -> Schedule:
        """Save and arm."""
        return schedules.save(self.instance, now=timezone.now())


class ScheduleFormSet(BaseInlineFormSet):  # type: ignore[type-arg]  # no generic at run time
    """The schedules of one script; its forms act, what is to be deleted goes by the verb."""

    def clean(self) -> None:
        """Say in words what a hidden field would complain about."""
        super().clean()
        if any("id" in form.errors for form in self.initial_forms):
            raise ValidationError(
                "A schedule of this page was deleted meanwhile\nhint: open the page again"
            )

    def save(self, commit: bool = True) -> list[Schedule]:
        """Delete what is to go; tell the admin's history what the forms have done."""
        going = self.deleted_forms
        done = [form for form in self.forms if form not in going and form.has_changed()]
        self.deleted_objects = [form.instance for form in going if form.instance.pk]
        self.new_objects = [form.instance for form in done if form in self.extra_forms]
        self.changed_objects = [
            (form.instance, form.changed_data) for form in done if form in self.initial_forms
        ]
        for schedule in self.deleted_objects:
            schedules.delete(schedule)
        return [form.instance for form in done]


class ScheduleInline(admin.StackedInline):  # type: ignore[type-arg]
    """A script's schedules, to add, change and delete there."""

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
        """With their alarms."""
        return super().get_queryset(request).select_related("alarm", "script")

    def get_extra(self, request: HttpRequest, obj: Script | None = None, **_: Any) -> int:
        """An empty form where there is none yet; the next ones come with JavaScript, or on a page of their own."""
        return 0 if obj and obj.schedules.exists() else 1


@admin.register(Schedule)
class ScheduleAdmin(ActingAdmin):
    """Schedules of scripts that were not deleted."""

    form = ScheduleAdminForm
    stays = STAYS
    change_form_template = "admin/scripts_app/schedule/change_form.html"
    fields = ScheduleAdminForm.Meta.fields
    facts = ("next_due", "paused_at", "anchor", "last_success_at", "stale_since", "message")
    list_display = ("script", "rhythm", "timezone", "enabled", "overlap", "missed", "next_due")
    list_display_links = ("script", "rhythm")
    list_filter = ("kind", "enabled")
    list_select_related = ("script", "alarm")
    search_fields = ("script__name", "cron")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Schedule]:
        """Those of deleted scripts are over."""
        rows = super().get_queryset(request).filter(script__deleted_at=None)
        return rows.select_related("script", "alarm")

    def get_readonly_fields(self, request: HttpRequest, obj: Schedule | None = None) -> Any:
        """A schedule stays with its script."""
        return ("script", *self.facts) if obj else ()

    def get_fields(self, request: HttpRequest, obj: Schedule | None = None) -> Any:
        """The form, then the machine's facts."""
        return (*self.fields, *self.facts) if obj else self.fields

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        """With the names of all time zones."""
        return super().render_change_form(
            request, {**context, "zones": zone.names()}, *args, **kwargs
        )

    def view_on_site(self, obj: Schedule) -> str:
        """The tab of its script."""
        return reverse("script-schedule", args=[obj.script.slug])

    @admin.display(description="rhythm")
    def rhythm(self, schedule: Schedule) -> str:
        """A sentence."""
        return schedule.describe()

    @admin.display(description="next due", ordering="alarm__next_run")
    def next_due(self, schedule: Schedule) -> str:
        """With its zone."""
        return next_due(schedule)

    def delete_one(self, row: Schedule) -> None:
        """Delete by the verb, with its alarm."""
        schedules.delete(row)


def next_due(schedule: Schedule) -> str:
    """The next due moment in the schedule's zone, or `-`."""
    zone = zone_of(schedule.timezone)
    return f"{schedule.next_at.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}" if schedule.next_at else "-"
