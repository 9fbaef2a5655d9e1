"""The tab of a script with its URL trigger: address, switches, keys, secrets, and the last calls."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypedDict

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from runs_app.forms import SecretForm, TriggerForm
from runs_app.triggers import confirmation, triggers
from runs_app.url_triggers import call_log, calls, secrets_in_use, trigger_keys, trigger_settings
from runs_app.url_triggers.models import TriggerCall, TriggerKey, UrlTrigger
from scripts_app import lookup
from scripts_app.models import Script
from scripts_app.validation import ScriptError
from tempo_site import auth
from tempo_site.lib import origins


class TriggerPageContext(TypedDict):
    now: datetime
    script: Any  # a script with the facts that the head of its pages shows
    trigger: UrlTrigger
    form: TriggerForm
    secret_form: SecretForm
    is_secret_unreadable: bool
    address: str
    keys: list[TriggerKey]
    calls: list[TriggerCall]


@require_http_methods(["GET", "HEAD", "POST"])
def script_trigger(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    now = timezone.now()
    script = lookup.script_for_page(slug, now=now)
    trigger = trigger_settings.trigger_of(script)
    form = TriggerForm(request.POST or None, initial=TriggerForm.values_of(trigger))
    if form.is_valid() and _saved(form, script):
        messages.success(request, "Saved the trigger.")
        return redirect("script-trigger", slug)
    call_log.store(now=now)
    trigger = trigger_settings.trigger_of(script)
    context: TriggerPageContext = {
        "now": now,
        "script": script,
        "trigger": trigger,
        "form": form,
        "secret_form": SecretForm(),
        "is_secret_unreadable": secrets_in_use.is_one_unreadable(trigger),
        "address": origins.absolute(request, reverse("url-trigger", args=[slug])),
        "keys": list(trigger.keys.usable(now)) if trigger.pk else [],
        "calls": list(trigger.calls.all()) if trigger.pk else [],
    }
    return render(request, "scripts/trigger.html", context)


def _saved(form: TriggerForm, script: Script) -> bool:
    try:
        trigger_settings.update(script, form.cleaned_data)
    except ScriptError as refusal:
        form.add_error(refusal.field, str(refusal))
        return False
    return True


@require_POST
@never_cache
@sensitive_variables()
def key_new(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    """Show a new key, once; with `act=rotate` those of before end in 24 hours."""
    script = lookup.script(slug)
    verb = trigger_keys.issue
    if request.POST.get("act") == "rotate":
        verb = trigger_keys.rotate
    trigger = trigger_settings.stored_trigger(script)
    try:
        _, token = verb(trigger, by=request.user.get_username(), now=timezone.now())
    except ScriptError as refusal:
        messages.error(request, str(refusal))
        return redirect("script-trigger", slug)
    address = origins.absolute(request, reverse("url-trigger", args=[slug]))
    context = {"script": script, "trigger": trigger, "token": token, "address": address}
    return render(request, "scripts/trigger_key.html", context)


@require_POST
def key_revoke(request: auth.SignedInRequest, slug: str, pk: int) -> HttpResponse:
    key = get_object_or_404(TriggerKey, pk=pk, trigger__script=lookup.script(slug))
    trigger_keys.revoke(key, now=timezone.now())
    messages.success(request, f"The key {key} opens nothing any more.")
    return redirect("script-trigger", slug)


@require_POST
@sensitive_variables()
def secret_change(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    """Set the secret of the signature, make one and show it once, or end that of before."""
    script = lookup.script(slug)
    verbs: dict[str, Callable[..., HttpResponse]] = {
        "set": _set_secret,
        "make": _make_secret,
        "end": _end_older_secret,
    }
    verb = verbs.get(request.POST.get("act", ""))
    if verb is None:
        raise Http404("There is no such act.")
    return verb(request, script)


@sensitive_variables()
def _set_secret(request: auth.SignedInRequest, script: Script) -> HttpResponse:
    form = SecretForm(request.POST)
    try:
        if form.is_valid():
            keeps_older = form.cleaned_data["keeps_older"]
            secret = form.cleaned_data["secret"]
            trigger_settings.set_secret(script, secret, keeps_older=keeps_older)
            messages.success(request, "The secret is set.")
        else:
            messages.error(request, "The secret is missing.")
    except ScriptError as refusal:
        messages.error(request, str(refusal))
    return redirect("script-trigger", script.slug)


@never_cache
@sensitive_variables()
def _make_secret(request: auth.SignedInRequest, script: Script) -> HttpResponse:
    secret = trigger_settings.new_secret(trigger_settings.trigger_of(script).scheme)
    trigger_settings.set_secret(script, secret, keeps_older=True)
    context = {"script": script, "secret": secret}
    return render(request, "scripts/trigger_key.html", context)


def _end_older_secret(request: auth.SignedInRequest, script: Script) -> HttpResponse:
    trigger_settings.end_rotation(script)
    messages.success(request, "The secret of before is good for nothing any more.")
    return redirect("script-trigger", script.slug)


@require_POST
def trigger_test(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    """Start a run as a call would, with a payload that says that it is a test."""
    script = confirmation.script_to_start(slug)
    by = request.user.get_username()
    try:
        confirmation.require(script)
        run = calls.try_out(script, by=by, now=timezone.now())
    except triggers.Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("script-trigger", slug)
    return redirect("run-detail", run.pk)
