"""Admin of scripts: text, settings and schedules on the same page, with buttons that run, switch and rebuild."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, TypedDict

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from runs_app.models import Run
from runs_app.states import Kind, Trigger
from runs_app.triggers import confirmation, triggers
from runs_app.triggers.confirmation import ConfirmationNeeded
from scripts_app import bulk, scripts
from scripts_app.admin.base import ActingAdmin, ActingMixin
from scripts_app.admin.schedules import ScheduleInline, in_zone_of
from scripts_app.environments import environments
from scripts_app.forms import ScriptForm, python_choices
from scripts_app.limits import LIMITS
from scripts_app.models import Folder, Script, Version
from scripts_app.schedules import outlook
from scripts_app.versions import drafts
from scripts_app.versions.drafts import Text
from scripts_app.views.script import question_address
from tempo_site import auth
from tempo_site.admin_base import LookOnly, chip, switch_chip
from tempo_site.audit import reading, trail
from tempo_site.lib import zone
from tempo_site.lib.widgets.code_editor import CodeEditor
from tempo_site.models import AuditEntry

NEWEST_VERSIONS = 10
MAX_NAMED, MAX_NAME = 5, 60  # of scripts told by name after an action
FACTS = ("slug", "uid", "version", "environment", "wanted_environment", "created_at", "updated_at")
LONG_TEXTS = (
    "version__code",
    "version__requirements",
    "environment__lock",
    "wanted_environment__lock",
)

Verb = Callable[[Script], object]


class ScriptStateContext(TypedDict):
    last_run: Run | None
    build_run: Run | None
    next_due: str
    text: Text


class ScriptAdminForm(ActingMixin, forms.ModelForm, ScriptForm):  # type: ignore[type-arg]
    """The page's form on a row, with the revision that the text was made from."""

    based_on = forms.IntegerField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = Script
        fields = ("enabled",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["enabled"].show_hidden_initial = True  # an untouched box changes nothing
        self.fields["code"].widget = CodeEditor({"rows": 20})
        self.fields["folder"].widget.attrs["list"] = "folders"
        if self.instance.pk:
            self._show_stored()
        chosen = self["python_version"].value() or ""
        self.fields["python_version"].widget = forms.Select(choices=python_choices(chosen))
        self.fields["python_version"].help_text = ""

    def _show_stored(self) -> None:
        text = drafts.text(self.instance)
        self.initial.update(ScriptForm.values_of(self.instance))
        self.initial.update(text.fields)
        self.initial["based_on"] = text.revision
        self.initial["tags"] = ", ".join(self.instance.tags)

    def _post_clean(self) -> None:
        pass  # the verb assigns to the row and checks it

    def act(self) -> Script:
        values = dict(self.cleaned_data)
        based_on = values.pop("based_on")
        enabled = values.pop("enabled")
        if not self.instance.pk:
            return self._create(values, enabled=enabled)
        for name in (*LIMITS, "one_at_a_time", *scripts.SET_BY_STAFF):
            if name not in self.changed_data:
                values.pop(name, None)
        if "enabled" in self.changed_data:
            values["enabled"] = enabled
        return self._update({**values, "based_on": based_on})

    def _create(self, values: dict[str, Any], *, enabled: bool) -> Script:
        now = timezone.now()
        # The forms of its schedules hold this very object already, so it becomes the created one.
        script: Script = self.instance
        script.pk = scripts.create(by=self.user, now=now, **values).pk
        script.refresh_from_db()
        if not enabled:
            scripts.update(script, by=self.user, now=now, enabled=False)
        return script

    # A text that someone else changed meanwhile is refused once: the next try keeps both.
    def _update(self, values: dict[str, Any]) -> Script:
        try:
            return scripts.update(self.instance, by=self.user, now=timezone.now(), **values)
        except drafts.Conflict as conflict:
            self.data = {**self.data.dict(), "based_on": ""}  # type: ignore[attr-defined]  # a QueryDict
            author = conflict.current.author
            who = f"`{author}`" if author else "someone"
            raise scripts.ScriptError(
                f"The text was changed by {who} in the meantime, so nothing was saved.\n"
                "hint: save again to put yours on top; theirs stays among the versions",
                field="code",
            ) from conflict


class VersionInline(LookOnly, admin.TabularInline):  # type: ignore[type-arg]
    model = Version
    template = "admin/scripts_app/script/versions.html"
    extra = 0
    fields = ("number", "saved_by", "note", "created_at")
    readonly_fields = ("created_at",)
    verbose_name_plural = f"newest {NEWEST_VERSIONS} versions"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Version]:
        match = request.resolver_match
        assert match is not None
        script_id = str(match.kwargs.get("object_id", ""))
        newest_first = Version.objects.filter(script_id=script_id).order_by("-number")
        newest = newest_first.values("pk")[:NEWEST_VERSIONS]
        rows = super().get_queryset(request).filter(pk__in=newest)
        return rows.defer("code", "requirements")


@admin.register(Script)
class ScriptAdmin(ActingAdmin):
    form = ScriptAdminForm
    acts = ("run", "enable", "disable", "rebuild")
    stays = (
        "It leaves the lists, and its schedules start nothing. For 30 days it can be restored under Scripts, Deleted. "
        "Its runs and their output stay; its address is not given to another script."
    )
    change_form_template = "admin/scripts_app/script/change_form.html"
    list_display = ("name", "folder", "switch", "version", "environment_state", "updated_at")
    list_filter = ("enabled", "folder")
    list_select_related = ("folder", "version", "wanted_environment")
    search_fields = ("name", "slug", "description")
    places = (
        ("Import", "import-scripts"),
        ("Import from cron", "crontab-import"),
        ("Deleted", "deleted-scripts"),
    )
    inlines = (ScheduleInline, VersionInline)
    actions = (
        "run_selected",
        "enable_selected",
        "disable_selected",
        "rebuild_selected",
        "duplicate_selected",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Script]:
        rows = super().get_queryset(request).filter(deleted_at=None)
        related = rows.select_related("folder", "version", "environment", "wanted_environment")
        return related.defer(*LONG_TEXTS)

    def get_readonly_fields(self, request: HttpRequest, obj: Script | None = None) -> Any:
        return FACTS if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: Script | None = None) -> Any:
        about = ("name", ("folder", "tags"), "description", "enabled")
        text = ("code", "requirements", "python_version", "based_on")
        limits = {
            "fields": (*LIMITS, "one_at_a_time", *scripts.SET_BY_STAFF),
            "classes": ("collapse",),
        }
        sets: list[Any] = [(None, {"fields": about}), (None, {"fields": text}), ("Limits", limits)]
        if obj:
            facts = {"fields": FACTS, "classes": ("collapse",)}
            sets.append(("What Tempo knows", facts))
        return sets

    def get_inlines(self, request: HttpRequest, obj: Script | None) -> Any:
        if obj is None:
            return (ScheduleInline,)
        return self.inlines

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        now = timezone.now()
        context = {
            **context,
            "zones": zone.names(),
            "folders": Folder.objects.values_list("path", flat=True),
            "now": now,
        }
        script = context.get("original")
        if script is not None:
            context |= script_state_context(script, now=now)
        return super().render_change_form(request, context, *args, **kwargs)

    def response_add(
        self, request: HttpRequest, obj: Script, post_url_continue: str | None = None
    ) -> HttpResponse:
        if "_addanother" in request.POST:
            return super().response_add(request, obj, post_url_continue)
        self.message_user(
            request,
            f"`{obj.name}` was created. Its environment is being asked for.",
            messages.SUCCESS,
        )
        return redirect("admin:scripts_app_script_change", obj.pk)

    def view_on_site(self, obj: Script) -> str:
        return reverse("script-overview", args=[obj.slug])

    @admin.display(description="state", ordering="enabled")
    def switch(self, script: Script) -> SafeString:
        return switch_chip(script.enabled)

    @admin.display(description="environment", ordering="wanted_environment__state")
    def environment_state(self, script: Script) -> str:
        environment = script.wanted_environment
        if environment is None:
            return "-"
        return chip(environment.state, environment.state)

    def delete_one(self, row: Script) -> None:
        scripts.delete(row, now=timezone.now())

    # --- buttons of the page ----------------------------------------------------------------------------------------
    def do_run(self, request: auth.SignedInRequest, script: Script) -> HttpResponse | None:
        try:
            run = start_run(script, request)
        except ConfirmationNeeded:
            return redirect(question_address(script))
        except triggers.Refused as refusal:
            self.message_user(request, f"`{script.name}`: {refusal}", messages.ERROR)
            return None
        self._note(request, script, f"Started {run}.")
        return redirect("admin:runs_app_run_change", run.pk)

    def do_enable(self, request: HttpRequest, script: Script) -> None:
        self._act(request, script, enable, "Enabled.")

    def do_disable(self, request: HttpRequest, script: Script) -> None:
        self._act(request, script, disable, "Disabled.")

    def do_rebuild(self, request: HttpRequest, script: Script) -> None:
        self._act(request, script, environments.rebuild, "Asked for the environment again.")

    def history_of(self, row: Script) -> QuerySet[AuditEntry]:
        of_its_own = reading.entries_of_owner(row.slug).exclude(kind=trail.kind_of(row))
        return super().history_of(row) | of_its_own

    def _act(self, request: HttpRequest, script: Script, verb: Verb, done: str) -> None:
        try:
            verb(script)
        except ValueError as refusal:  # ScriptError, InterpreterMissing
            self.message_user(request, f"`{script.name}`: {refusal}", messages.ERROR)
        else:
            self._note(request, script, done)

    def _note(self, request: HttpRequest, script: Script, done: str) -> None:
        self.message_user(request, f"`{script.name}`: {done}", messages.SUCCESS)
        self.log_change(request, script, done)

    # --- actions of the list ----------------------------------------------------------------------------------------
    @admin.action(description="Run selected scripts")
    def run_selected(self, request: auth.SignedInRequest, rows: QuerySet[Script]) -> None:
        self._act_on_each(request, rows, lambda script: start_run(script, request), "started")

    @admin.action(description="Enable selected scripts")
    def enable_selected(self, request: HttpRequest, rows: QuerySet[Script]) -> None:
        self._act_on_each(request, rows, enable, "enabled")

    @admin.action(description="Disable selected scripts")
    def disable_selected(self, request: HttpRequest, rows: QuerySet[Script]) -> None:
        self._act_on_each(request, rows, disable, "disabled")

    @admin.action(description="Rebuild the environments of selected scripts")
    def rebuild_selected(self, request: HttpRequest, rows: QuerySet[Script]) -> None:
        verb = environments.rebuild
        self._act_on_each(request, rows, verb, "asked for its environment again")

    @admin.action(description="Duplicate selected scripts")
    def duplicate_selected(self, request: auth.SignedInRequest, rows: QuerySet[Script]) -> None:
        verb = partial(scripts.duplicate, by=request.user, now=timezone.now())
        self._act_on_each(request, rows, verb, "copied")

    def _act_on_each(
        self, request: HttpRequest, rows: QuerySet[Script], verb: Verb, done: str
    ) -> None:
        outcome = bulk.act_on_each(rows, verb)
        names = [f"`{script.name[:MAX_NAME]}`" for script in outcome.done]
        shown = ", ".join(names[:MAX_NAMED])
        if len(names) > MAX_NAMED:
            shown += ", …"
        bulk.report(request, outcome, done=f"{len(names)} {done}: {shown}")


def start_run(script: Script, request: auth.SignedInRequest) -> Run:
    """Start a run in the name of the user. Raises Refused, also as ConfirmationNeeded."""
    confirmation.require(script)
    by = request.user.get_username()
    return triggers.start(script, trigger=Trigger.ADMIN, by=by, now=timezone.now())


def enable(script: Script) -> Script:
    return scripts.update(script, by=None, now=timezone.now(), enabled=True)


def disable(script: Script) -> Script:
    return scripts.update(script, by=None, now=timezone.now(), enabled=False)


def script_state_context(script: Script, *, now: datetime) -> ScriptStateContext:
    builds = Run.objects.filter(kind=Kind.BUILD, environment=script.wanted_environment_id)
    schedules = outlook.with_pause(script.schedules.filter(alarm__isnull=False))
    first = outlook.first_start(schedules, now)
    return {
        "last_run": Run.objects.filter(script=script).newest_first().first(),
        "build_run": builds.newest_first().first(),
        "next_due": in_zone_of(first.schedule, first.at) if first else "",
        "text": drafts.text(script),
    }
