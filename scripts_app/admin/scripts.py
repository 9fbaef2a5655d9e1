"""Admin of scripts: text, settings and schedules on one page, with buttons that run, switch and rebuild."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from runs_app.models import Run
from runs_app.states import Kind, Trigger
from runs_app.triggers import triggers
from scripts_app import scripts
from scripts_app.admin.base import ActingAdmin, ActingMixin
from scripts_app.admin.schedules import ScheduleInline, next_due
from scripts_app.environments import environments
from scripts_app.forms import ScriptForm, python_choices
from scripts_app.limits import LIMITS
from scripts_app.models import Environment, Folder, Script, Version
from scripts_app.versions import drafts
from tempo_site import auth
from tempo_site.admin_base import LookOnly, chip
from tempo_site.lib import zone
from tempo_site.lib.code_editor import CodeEditor

NEWEST_VERSIONS = 10
FACTS = ("slug", "uid", "version", "environment", "wanted_environment", "created_at", "updated_at")


LONG_TEXTS = (
    "version__code",
    "version__requirements",
    "environment__lock",
    "wanted_environment__lock",
)


class ScriptAdminForm(ActingMixin, forms.ModelForm, ScriptForm):  # type: ignore[type-arg]
    """The page's form on a row, with the revision its text was made from."""

    based_on = forms.IntegerField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = Script
        fields = ("enabled",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields[
            "enabled"
        ].show_hidden_initial = True  # what was not touched here is not set back
        self.fields["code"].widget = CodeEditor({"rows": 20})
        self.fields["folder"].widget.attrs["list"] = "folders"
        if self.instance.pk:
            text = drafts.text(self.instance)
            stored = {
                **ScriptForm.values_of(self.instance),
                **text.fields,
                "based_on": text.revision,
            }
            self.initial = {**self.initial, **stored, "tags": ", ".join(self.instance.tags)}
        chosen = self["python_version"].value() or ""
        self.fields["python_version"].widget = forms.Select(choices=python_choices(chosen))
        self.fields["python_version"].help_text = ""

    def _post_clean(self) -> None:
        """Leave the row alone: the verb assigns and checks."""

    def act(self) -> Script:
        """Create or update."""
        now, values = timezone.now(), dict(self.cleaned_data)
        based_on = values.pop("based_on")
        enabled = values.pop("enabled")
        if self.instance.pk:
            if "enabled" in self.changed_data:
                values["enabled"] = enabled
            untouched = {*LIMITS, "as_service_user", "allow_source"}.difference(self.changed_data)
            kept = {name: value for name, value in values.items() if name not in untouched}
            return self._update({**kept, "based_on": based_on})
        self.instance.pk = scripts.create(by=self.user, now=now, **values).pk
        self.instance.refresh_from_db()  # this very object is what the forms of its schedules hold already
        return (
            self.instance
            if enabled
            else scripts.update(self.instance, by=self.user, now=now, enabled=False)
        )

    def _update(self, values: dict[str, Any]) -> Script:
        """Save; text that someone else changed meanwhile is said so, once: the next try keeps both."""
        try:
            return scripts.update(self.instance, by=self.user, now=timezone.now(), **values)
        except drafts.Conflict as conflict:
            self.data = {**self.data.dict(), "based_on": ""}  # type: ignore[attr-defined]  # a QueryDict
            who = f"`{conflict.current.author}`" if conflict.current.author else "someone"
            raise scripts.ScriptError(
                f"The text was changed by {who} in the meantime, so nothing was saved.\n"
                "hint: save again to put yours on top; theirs stays among the versions",
                field="code",
            ) from conflict


class VersionInline(LookOnly, admin.TabularInline):  # type: ignore[type-arg]
    """A script's newest versions, each with a link to its own page."""

    model = Version
    extra = 0
    show_change_link = True
    fields = ("number", "saved_by", "note", "created_at")
    readonly_fields = ("created_at",)
    verbose_name_plural = f"newest {NEWEST_VERSIONS} versions"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Version]:
        """The newest few, without their code."""
        match = request.resolver_match
        script_id = str(match.kwargs.get("object_id", "")) if match else ""
        newest = (
            Version.objects.filter(script_id=script_id)
            .order_by("-number")
            .values("pk")[:NEWEST_VERSIONS]
        )
        rows = super().get_queryset(request).filter(pk__in=newest)
        return rows.defer("code", "requirements")


@admin.register(Script)
class ScriptAdmin(ActingAdmin):
    """Scripts that were not deleted."""

    form = ScriptAdminForm
    acts = ("run", "enable", "disable", "rebuild")
    stays = (
        "It leaves the lists, its schedules fire no more. For 30 days it can be restored under Scripts, Deleted. Its "
        "runs and their output stay; its address is not given to another script."
    )
    change_form_template = "admin/scripts_app/script/change_form.html"
    list_display = ("name", "folder", "enabled", "version", "environment_state", "updated_at")
    list_filter = ("enabled", "folder")
    list_select_related = ("folder", "version", "wanted_environment")
    search_fields = ("name", "slug", "description")
    inlines = (ScheduleInline, VersionInline)
    actions = (
        "run_selected",
        "enable_selected",
        "disable_selected",
        "rebuild_selected",
        "duplicate_selected",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Script]:
        """Deleted ones are kept for their history only."""
        rows = super().get_queryset(request).filter(deleted_at=None)
        related = rows.select_related("folder", "version", "environment", "wanted_environment")
        return related.defer(*LONG_TEXTS)

    def get_readonly_fields(self, request: HttpRequest, obj: Script | None = None) -> Any:
        """What the machine wrote, once there is something."""
        return FACTS if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: Script | None = None) -> Any:
        """The text first; what the machine wrote last."""
        about = ("name", ("folder", "tags"), "description", "enabled")
        text = ("code", "requirements", "python_version", "based_on")
        own = {"fields": (*LIMITS, "as_service_user", "allow_source"), "classes": ("collapse",)}
        sets = [(None, {"fields": about}), (None, {"fields": text}), ("Limits", own)]
        facts = {"fields": self.get_readonly_fields(request, obj), "classes": ("collapse",)}
        return [*sets, ("What Tempo knows", facts)] if obj else sets

    def get_inlines(self, request: HttpRequest, obj: Script | None) -> Any:
        """A new script has no versions yet."""
        return self.inlines if obj else (ScheduleInline,)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        """With what stands beside the form: its state, names of folders and zones."""
        paths = Folder.objects.values_list("path", flat=True)
        beside = {
            "zones": zone.names(),
            "folders": paths,
            "now": timezone.now(),
            **_state_of(context.get("original")),
        }
        return super().render_change_form(request, {**context, **beside}, *args, **kwargs)

    def response_add(
        self, request: HttpRequest, obj: Script, post_url_continue: str | None = None
    ) -> HttpResponse:
        """A new script's page is where one goes on: it has the button that runs it."""
        if "_addanother" in request.POST:
            return super().response_add(request, obj, post_url_continue)
        self.message_user(
            request,
            f"`{obj.name}` was created. Its environment is being asked for.",
            messages.SUCCESS,
        )
        return redirect("admin:scripts_app_script_change", obj.pk)

    def view_on_site(self, obj: Script) -> str:
        """Its page outside of the admin."""
        return reverse("script-detail", args=[obj.slug])

    @admin.display(description="environment", ordering="wanted_environment__state")
    def environment_state(self, script: Script) -> str:
        """How far its environment is."""
        environment = script.wanted_environment
        return chip(environment.state, environment.state) if environment else "-"

    def delete_one(self, row: Script) -> None:
        """Delete by the verb."""
        scripts.delete(row, now=timezone.now())

    # --- buttons of the page ----------------------------------------------------------------------------------------
    def do_run(self, request: auth.SignedInRequest, script: Script) -> HttpResponse | None:
        """Start a run and go to it."""
        if run := self._try(request, script, _start(request)):
            self._note(request, script, f"Started {run}.")
            return redirect("admin:runs_app_run_change", run.pk)
        return None

    def do_enable(self, request: HttpRequest, script: Script) -> None:
        """Switch schedules on."""
        if self._try(request, script, partial(_switch, enabled=True)):
            self._note(request, script, "Enabled.")

    def do_disable(self, request: HttpRequest, script: Script) -> None:
        """Switch schedules off."""
        if self._try(request, script, partial(_switch, enabled=False)):
            self._note(request, script, "Disabled.")

    def do_rebuild(self, request: HttpRequest, script: Script) -> None:
        """Ask for the environment again."""
        if self._try(request, script, _rebuild):
            self._note(request, script, "Asked for the environment again.")

    def _note(self, request: HttpRequest, script: Script, done: str) -> None:
        """Say what was done, and write it into the history."""
        self.message_user(request, f"`{script.name}`: {done}", messages.SUCCESS)
        self.log_change(request, script, done)

    # --- actions of the list ----------------------------------------------------------------------------------------
    @admin.action(description="Run selected scripts")
    def run_selected(self, request: auth.SignedInRequest, rows: QuerySet[Script]) -> None:
        """Start a run of each."""
        self._each(request, rows, "started", _start(request))

    @admin.action(description="Enable selected scripts")
    def enable_selected(self, request: HttpRequest, rows: QuerySet[Script]) -> None:
        """Switch schedules on."""
        self._each(request, rows, "enabled", partial(_switch, enabled=True))

    @admin.action(description="Disable selected scripts")
    def disable_selected(self, request: HttpRequest, rows: QuerySet[Script]) -> None:
        """Switch schedules off."""
        self._each(request, rows, "disabled", partial(_switch, enabled=False))

    @admin.action(description="Rebuild the environments of selected scripts")
    def rebuild_selected(self, request: HttpRequest, rows: QuerySet[Script]) -> None:
        """Ask for each environment again."""
        self._each(request, rows, "asked for its environment again", _rebuild)

    @admin.action(description="Duplicate selected scripts")
    def duplicate_selected(self, request: auth.SignedInRequest, rows: QuerySet[Script]) -> None:
        """Copy each; the copies are disabled."""
        self._each(
            request, rows, "copied", partial(scripts.duplicate, by=request.user, now=timezone.now())
        )

    def _each(
        self, request: HttpRequest, rows: QuerySet[Script], done: str, verb: Callable[[Script], Any]
    ) -> None:
        """Do it to each, refusals aside, and say so once."""
        names = [script.name for script in rows if self._try(request, script, verb)]
        if names:
            shown = ", ".join(f"`{name[:60]}`" for name in names[:5]) + (
                ", …" if len(names) > 5 else ""
            )
            self.message_user(request, f"{len(names)} {done}: {shown}", messages.SUCCESS)

    def _try(self, request: HttpRequest, script: Script, verb: Callable[[Script], Any]) -> Any:
        """The verb's result; None when it refused, which becomes a message."""
        try:
            return verb(script)
        except ValueError as refusal:  # Refused, ScriptError, InterpreterMissing
            self.message_user(request, f"`{script.name}`: {refusal}", messages.ERROR)
            return None


def _start(request: auth.SignedInRequest) -> Callable[[Script], Run]:
    return partial(
        triggers.start, trigger=Trigger.ADMIN, by=request.user.get_username(), now=timezone.now()
    )


def _switch(script: Script, *, enabled: bool) -> Script:
    return scripts.update(script, by=None, now=timezone.now(), enabled=enabled)


def _rebuild(script: Script) -> Environment:
    return environments.rebuild(script)


def _state_of(script: Script | None) -> dict[str, Any]:
    """The line above a script's form: its last run, the build of its environment, what is due next, its draft."""
    if script is None:
        return {}
    builds = Run.objects.filter(kind=Kind.BUILD, environment=script.wanted_environment_id)
    armed = script.schedules.filter(alarm__isnull=False).select_related("alarm", "script")
    first = armed.order_by("alarm__next_run").first()
    return {
        "last_run": Run.objects.filter(script=script).newest_first().first(),
        "build_run": builds.newest_first().first(),
        "next_due": next_due(first) if first else "",
        "text": drafts.text(script),
    }
