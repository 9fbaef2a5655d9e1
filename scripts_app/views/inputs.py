"""Run with inputs: the form of a script's parameters."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from runs_app.models import Run
from runs_app.states import Trigger
from runs_app.triggers import triggers
from scripts_app import lookup
from scripts_app.forms import InputsForm
from scripts_app.forms.inputs import PREFIX
from scripts_app.inputs import parameters
from scripts_app.models import Script
from tempo_site import auth

MAX_ID_DIGITS = 18


@require_http_methods(["GET", "HEAD", "POST"])
def script_run_with(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    """Ask for the inputs of a run and start it; `?like=<id>` fills in those of an earlier run of the script."""
    script, now = lookup.script(slug), timezone.now()
    declared = parameters.parameters_of(script)
    form = InputsForm(request.POST or None, declared=declared, initial=inputs_like(request, script))
    if form.is_valid():
        by = request.user.get_username()
        try:
            run = triggers.start(script, trigger=Trigger.MANUAL, by=by, now=now, params=form.given)
        except triggers.WrongInputs as refusal:
            form.refuse(refusal.fields)
        except triggers.Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect("run-detail", run.pk)
    return render(request, "scripts/run_with.html", {"now": now, "script": script, "form": form})


def inputs_like(request: HttpRequest, script: Script) -> dict[str, Any]:
    """The inputs of the run that the address names, as far as they are still declared."""
    named = request.GET.get("like", "")
    if not (named.isascii() and named.isdecimal() and len(named) <= MAX_ID_DIGITS):
        return {}
    run = Run.objects.filter(pk=int(named), script=script).only("params").first()
    known = parameters.split(script, run.params)[0] if run else {}
    texts = {
        name: value if isinstance(value, bool) else parameters.as_text(value)
        for name, value in known.items()
    }
    return {f"{PREFIX}{name}": value for name, value in texts.items()}
