"""Admin of folders, scripts, versions, environments and schedules: the same verbs as everywhere."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from runs_app import triggers
from runs_app.states import Trigger
from scripts_app import schedules, scripts, validation
from scripts_app.forms import ScheduleForm, ScriptForm, attempt, zone_of
from scripts_app.models import Environment, Folder, Schedule, Script, Version
from scripts_app.validation import ScriptError
from tempo_site.adminsite import LookOnly, ReadOnlyAdmin

NEWEST_VERSIONS = 10


class ActingMixin:
    """A model form whose last check is the verb itself: a refusal is an error at its field, never a failed page.

    The admin calls the form once, in the transaction of its view, and is told not to save again.
    """

    user: User
    _errors: Any
    is_bound: bool

    def full_clean(self) -> None:
        """Validate, then act."""
        super().full_clean()  # type: ignore[misc]
        if self.is_bound and not self._errors:
            attempt(self, self.act)  # type: ignore[arg-type]

    def act(self) -> object:
        """Call the verb. Raises ScriptError or TimingError."""
        raise NotImplementedError


class ActingAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # no generic at run time
    """Saves by its form's verb."""

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Tell the form who acts."""
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (form,), {"user": request.user})

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Do nothing: the form has acted."""

    def delete_one(self, row: Any) -> None:
        """Call the verb that deletes."""
        raise NotImplementedError

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete by the verb."""
        self.delete_one(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Delete each by the verb."""
        for row in queryset:
            self.delete_one(row)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Name what goes; Django would list versions and runs, which stay."""
        names = [str(row) for row in objs]
        return names, {str(self.opts.verbose_name_plural): len(names)}, set(), []


class ScriptAdminForm(ActingMixin, forms.ModelForm, ScriptForm):  # type: ignore[type-arg]
    """The page's form on a row: the folder is chosen, not typed, and `enabled` stands beside it."""

    folder: Any = None

    class Meta:
        model = Script
        fields = ("folder", "enabled")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial = {**ScriptForm.values_of(self.instance), **self.initial}

    def act(self) -> Script:
        """Create or update."""
        now, values = timezone.now(), dict(self.cleaned_data)
        values["folder"] = values["folder"].path if values["folder"] else ""
        if self.instance.pk:
            return scripts.update(self.instance, by=self.user, now=now, **values)
        enabled = values.pop("enabled")
        self.instance = scripts.create(by=self.user, now=now, **values)
        return self.instance if enabled else scripts.update(self.instance, by=self.user, now=now, enabled=False)


class ScheduleAdminForm(ActingMixin, ScheduleForm):
    """The page's form, with the script to choose."""

    class Meta(ScheduleForm.Meta):
        fields = ("script", *ScheduleForm.Meta.fields)

    def act(self) -> Schedule:
        """Save and arm."""
        return schedules.save(self.instance, now=timezone.now())


class FolderForm(forms.ModelForm):  # type: ignore[type-arg]
    """A folder's path, by the rules of the verbs."""

    class Meta:
        model = Folder
        fields = ("path",)

    def clean_path(self) -> str:
        """Normalise, or say what is wrong."""
        try:
            return validation.folder_path(self.cleaned_data["path"])
        except ScriptError as refusal:
            raise ValidationError(str(refusal)) from refusal


class LookInline(LookOnly, admin.TabularInline):  # type: ignore[type-arg]
    """Rows to look at, each with a link to its own page."""

    extra = 0
    show_change_link = True


class ScheduleInline(LookInline):
    """A script's schedules."""

    model = Schedule
    fields = ("kind", "cron", "every_s", "at", "timezone", "enabled", "next_due")
    readonly_fields = ("next_due",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Schedule]:
        """With their alarms."""
        return super().get_queryset(request).select_related("alarm", "script")

    @admin.display(description="next due")
    def next_due(self, schedule: Schedule) -> str:
        """With its zone."""
        return next_due(schedule)


class VersionInline(LookInline):
    """A script's newest versions."""

    model = Version
    fields = ("number", "author", "note", "created_at")
    readonly_fields = ("created_at",)
    verbose_name_plural = f"newest {NEWEST_VERSIONS} versions"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Version]:
        """The newest few, without their code."""
        match = request.resolver_match
        script_id = str(match.kwargs.get("object_id", "")) if match else ""
        newest = Version.objects.filter(script_id=script_id).order_by("-number").values("pk")[:NEWEST_VERSIONS]
        rows = super().get_queryset(request).filter(pk__in=newest)
        return rows.select_related("author").defer("code", "requirements")


@admin.register(Script)
class ScriptAdmin(ActingAdmin):
    """Scripts that were not deleted."""

    form = ScriptAdminForm
    fields = ("name", "folder", "enabled", "description", "tags", "code", "requirements", "python_version", "timeout_s")
    list_display = ("name", "slug", "folder", "enabled", "version", "environment_state", "updated_at")
    list_filter = ("enabled", "folder")
    list_select_related = ("folder", "version", "wanted_environment")
    search_fields = ("name", "slug")
    inlines = (ScheduleInline, VersionInline)
    actions = ("run_selected", "enable", "disable")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Script]:
        """Deleted ones are kept for their history only."""
        return super().get_queryset(request).filter(deleted_at=None)

    def get_readonly_fields(self, request: HttpRequest, obj: Script | None = None) -> Any:
        """What the machine wrote, once there is something."""
        return ("slug", "version", "environment", "wanted_environment", "created_at", "updated_at") if obj else ()

    def get_fields(self, request: HttpRequest, obj: Script | None = None) -> Any:
        """The form, then the machine's facts."""
        return (*self.fields, *self.get_readonly_fields(request, obj))

    def get_inlines(self, request: HttpRequest, obj: Script | None) -> Any:
        """A new script has neither schedules nor versions."""
        return self.inlines if obj else ()

    @admin.display(description="environment")
    def environment_state(self, script: Script) -> str:
        """How far its environment is."""
        return script.wanted_environment.state if script.wanted_environment else "-"

    def delete_one(self, row: Script) -> None:
        """Delete by the verb."""
        scripts.delete(row, now=timezone.now())

    @admin.action(description="Run selected scripts", permissions=["change"])
    def run_selected(self, request: HttpRequest, rows: QuerySet[Script]) -> None:
        """Start a run of each."""
        now, by = timezone.now(), request.user.get_username()
        for script in rows:
            self._do(request, script, "started", partial(triggers.start, trigger=Trigger.ADMIN, by=by, now=now))

    @admin.action(description="Enable selected scripts", permissions=["change"])
    def enable(self, request: HttpRequest, rows: QuerySet[Script]) -> None:
        """Switch schedules on."""
        for script in rows:
            self._do(request, script, "enabled", partial(scripts.update, by=None, now=timezone.now(), enabled=True))

    @admin.action(description="Disable selected scripts", permissions=["change"])
    def disable(self, request: HttpRequest, rows: QuerySet[Script]) -> None:
        """Switch schedules off."""
        for script in rows:
            self._do(request, script, "disabled", partial(scripts.update, by=None, now=timezone.now(), enabled=False))

    def _do(self, request: HttpRequest, script: Script, done: str, verb: Callable[[Script], object]) -> None:
        try:
            verb(script)
        except (triggers.Refused, ScriptError) as refusal:
            self.message_user(request, f"`{script.name}`: {refusal}", messages.ERROR)
        else:
            self.message_user(request, f"`{script.name}` {done}.", messages.SUCCESS)


@admin.register(Schedule)
class ScheduleAdmin(ActingAdmin):
    """Schedules of scripts that were not deleted."""

    form = ScheduleAdminForm
    fields = ScheduleAdminForm.Meta.fields
    list_display = ("script", "kind", "rhythm", "timezone", "enabled", "overlap", "missed", "next_due")
    list_display_links = ("script", "rhythm")
    list_filter = ("kind", "enabled")
    list_select_related = ("script", "alarm")
    search_fields = ("script__name", "cron")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Schedule]:
        """Those of deleted scripts are over."""
        return super().get_queryset(request).filter(script__deleted_at=None)

    def get_readonly_fields(self, request: HttpRequest, obj: Schedule | None = None) -> Any:
        """A schedule stays with its script."""
        return ("script", "next_due", "anchor", "message") if obj else ()

    def get_fields(self, request: HttpRequest, obj: Schedule | None = None) -> Any:
        """The form, then the machine's facts."""
        return (*self.fields, "next_due", "anchor", "message") if obj else self.fields

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer scripts that were not deleted."""
        return super().formfield_for_foreignkey(db_field, request, queryset=Script.objects.present(), **kwargs)

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


@admin.register(Folder)
class FolderAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Folders; one with scripts in it cannot be deleted."""

    form = FolderForm
    search_fields = ("path",)


@admin.register(Version)
class VersionAdmin(ReadOnlyAdmin):
    """Versions: what was run must not change."""

    list_display = ("script", "number", "author", "note", "created_at")
    list_display_links = ("script", "number")
    list_select_related = ("script", "author")
    search_fields = ("script__name",)
    fields = ("script", "number", "author", "note", "created_at", "python_version", "code", "requirements")


@admin.register(Environment)
class EnvironmentAdmin(ReadOnlyAdmin):
    """Environments: locked, shared, built by Tempo."""

    list_display = ("python", "state", "requirements_in_short", "created_at", "ready_at")
    list_filter = ("state",)
    fields = (
        "python",
        "interpreter",
        "state",
        "message",
        "requirements",
        "lock",
        "digest",
        "created_at",
        "ready_at",
        "builds",
    )

    @admin.display(description="requirements")
    def requirements_in_short(self, environment: Environment) -> str:
        """The beginning of its list."""
        words = ", ".join(environment.requirements.split())
        return words if len(words) <= 80 else f"{words[:79]}…"

    @admin.display(description="built by")
    def builds(self, environment: Environment) -> SafeString:
        """Where its builds are listed."""
        return format_html('<a href="{}?kind=build">runs of kind build</a>', reverse("run-list"))
