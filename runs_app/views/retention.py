"""What is kept of the history: limits for all, for a folder, for a script; what would go, and deleting it now."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from runs_app.engine import housekeeping
from runs_app.figures import all_scripts
from runs_app.history import retention, retention_rules
from runs_app.history.retention import Going
from runs_app.history.retention_rules import RetentionChange, Rules
from scripts_app.models import Folder, Script
from tempo_site import auth
from tempo_site.audit import trail
from tempo_site.lib import humanize
from tempo_site.lib.widgets.number_input import NumberWithPresets
from tempo_site.stored_settings import retention as retention_settings
from tempo_site.stored_settings.fields import SettingRefused

FOR_STAFF = "Only staff may change what is kept."
ALL = "all"
MAX_ROWS = 50


class LimitsForm(forms.Form):
    """Limits for one target: `all`, `folder:<id>` or `script:<id>`."""

    target = forms.ChoiceField(label="For")
    days = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=36_500,
        widget=NumberWithPresets(presets=retention_settings.DAY_PRESETS, unit="days"),
    )
    runs = forms.IntegerField(
        label="Runs of a script",
        required=False,
        min_value=1,
        max_value=2**31 - 1,
        widget=NumberWithPresets(presets=retention_settings.RUN_PRESETS, unit="runs"),
    )
    mb = forms.IntegerField(
        label="Size of logs (MB)",
        required=False,
        min_value=1,
        max_value=2**31 - 1,
        widget=NumberWithPresets(presets=retention_settings.MB_PRESETS, unit="MB"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        targets = [(ALL, "All scripts")]
        targets += [
            (f"folder:{each.pk}", f"{each.path}/") for each in Folder.objects.order_by("path")
        ]
        scripts = Script.objects.present().order_by("name")
        targets += [(f"script:{pk}", name) for pk, name in scripts.values_list("pk", "name")]
        self.fields["target"].choices = targets  # type: ignore[attr-defined]  # a ChoiceField, as above

    def show(self, rules: Rules) -> None:
        """Show in empty fields what holds for all scripts."""
        limits = {"days": rules.default.days, "runs": rules.default.runs, "mb": rules.total_mb}
        for name, limit in limits.items():
            self.fields[name].widget.attrs["placeholder"] = limit

    def limits(self) -> list[forms.BoundField]:
        return [self["days"], self["runs"], self["mb"]]

    @property
    def change(self) -> RetentionChange:
        kind, _, pk = self.cleaned_data["target"].partition(":")
        return RetentionChange(
            days=self.cleaned_data["days"],
            runs=self.cleaned_data["runs"],
            mb=self.cleaned_data["mb"],
            folder=Folder.objects.get(pk=pk) if kind == "folder" else None,
            script=Script.objects.get(pk=pk) if kind == "script" else None,
        )


@require_http_methods(["GET", "HEAD", "POST"])
def retention_page(request: auth.SignedInRequest) -> HttpResponse:
    """Show the limits. Posted limits are only tried, unless `act` is `save`."""
    auth.require_staff(request.user, FOR_STAFF)
    now = timezone.now()
    form = LimitsForm(request.POST or None)
    going = None
    if form.is_valid():
        if request.POST.get("act") == "save":
            return _save(request, form.change)
        going = retention.preview(now=now, change=form.change)
    return render(request, "runs/retention.html", retention_context(form, going, now))


@require_POST
def retention_now(request: auth.SignedInRequest) -> HttpResponse:
    auth.require_staff(request.user, FOR_STAFF)
    housekeeping.hurry("retention", now=timezone.now())
    trail.record("asked for", kind="retention", name="now")
    messages.success(
        request, f"Deleting begins within half a minute, {retention.MAX_A_TURN:,} runs at a time."
    )
    return redirect("retention")


@require_POST
def retention_remove(request: auth.SignedInRequest, pk: int) -> HttpResponse:
    auth.require_staff(request.user, FOR_STAFF)
    retention_rules.remove(pk)
    messages.success(
        request,
        "These limits were removed. Those of the folder around, or of all scripts, hold again.",
    )
    return redirect("retention")


def retention_context(form: LimitsForm, going: Going | None, now: datetime) -> dict[str, Any]:
    figures = all_scripts.figures_of_scripts(now=now, days=1)
    largest = sorted(figures, key=lambda row: row.kept_bytes, reverse=True)
    rules = retention_rules.rules()
    form.show(rules)
    going_now = retention.preview(now=now)
    return {
        "form": form,
        "would_go": describe(going) if going else "",
        "goes": describe(going_now),
        "may_delete": going_now.runs > 0,
        "total": humanize.amount(rules.total_mb, "MB"),
        "rules": rules,
        "own": retention_rules.stored_rules(),
        "largest": largest[:MAX_ROWS],
    }


def describe(going: Going) -> str:
    if not going.runs:
        return "nothing"
    plural = "" if going.runs == 1 else "s"
    return f"{going.runs:,} run{plural}, {filesizeformat(going.log_bytes)}"


def _save(request: auth.SignedInRequest, change: RetentionChange) -> HttpResponse:
    try:
        retention_rules.save(change, by=request.user.get_username())
    except SettingRefused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, "The limits are saved. What is beyond them goes within the hour.")
    return redirect("retention")
