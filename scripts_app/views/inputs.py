"""Run with inputs: the form of a script's parameters."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from runs_app.models import Run
from runs_app.states import Trigger
from runs_app.triggers import confirmation, triggers
from runs_app.triggers.confirmation import ConfirmationNeeded
from scripts_app import lookup
from scripts_app.forms import InputsForm
from scripts_app.forms.inputs import CONFIRM, PREFIX
from scripts_app.inputs import parameters
from scripts_app.models import Script
from scripts_app.views.query_string import number_in
from tempo_site import auth


@require_http_methods(["GET", "HEAD", "POST"])
def script_run_with(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    now = timezone.now()
    script = lookup.script_for_page(slug, now=now)
    declared = parameters.parameters_of(script)
    form = InputsForm(request.POST or None, declared=declared, initial=inputs_like(request, script))
    if form.is_valid():
        run = start(request, script, form, now=now)
        if run is not None:
            return redirect("run-detail", run.pk)
    return render(request, "scripts/run_with.html", {"now": now, "script": script, "form": form})


def start(
    request: auth.SignedInRequest, script: Script, form: InputsForm, *, now: datetime
) -> Run | None:
    by = request.user.get_username()
    try:
        confirmation.require(script, is_confirmed=CONFIRM in request.POST)
        return triggers.start(script, trigger=Trigger.MANUAL, by=by, now=now, params=form.inputs)
    except ConfirmationNeeded as question:
        form.ask(question.sentence)
    except triggers.WrongInputs as refusal:
        form.refuse(refusal.fields)
    except triggers.Refused as refusal:
        form.add_error(None, str(refusal))
    return None


def inputs_like(request: HttpRequest, script: Script) -> dict[str, Any]:
    pk = number_in(request.GET, "like")
    if not pk:
        return {}
    run = Run.objects.filter(pk=pk, script=script).only("params").first()
    if run is None:
        return {}
    known, _ = parameters.split(script, run.params)
    initial: dict[str, Any] = {}
    for name, value in known.items():
        if not isinstance(value, bool):
            value = parameters.as_text(value)
        initial[f"{PREFIX}{name}"] = value
    return initial
