"""Rules: the form, what a rule would have told in the last thirty days, and the way to delete it."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from notifications_app import lookup
from notifications_app.forms import RuleForm
from notifications_app.models import Channel, Rule
from notifications_app.rules import preview, rules
from notifications_app.views.access import form_page
from scripts_app import lookup as scripts_lookup
from tempo_site import auth


@form_page
def rule_new(request: auth.SignedInRequest) -> HttpResponse:
    channels = Channel.objects.exclude(kind=Channel.Kind.HEARTBEAT)
    channel = channels.first()
    if channel is None:
        messages.info(request, "First say how people are told: a rule needs a channel.")
        return redirect("channel-kinds")
    rule = Rule(channel=channel, events=list(rules.DEFAULT_EVENTS))
    if "script" in request.GET:
        rule.script = scripts_lookup.script(request.GET["script"])
    return rule_page(request, rule)


@form_page
def rule_edit(request: auth.SignedInRequest, pk: int) -> HttpResponse:
    return rule_page(request, lookup.rule(pk))


def rule_page(request: auth.SignedInRequest, rule: Rule) -> HttpResponse:
    now = timezone.now()
    form = RuleForm(rule, request.POST or None)
    context: dict[str, Any] = {"form": form, "rule": rule, "now": now}
    if form.is_bound and form.is_valid():
        if request.POST.get("act") == "preview":
            context["preview"] = preview.preview(form.filled_rule(), now=now)
        elif form.save() is not None:
            messages.success(request, "The rule is saved.")
            return redirect("notifications")
    elif rule.pk:
        context["preview"] = preview.preview(rule, now=now)
    return render(request, "notifications/rule.html", context)


@form_page
def rule_delete(request: auth.SignedInRequest, pk: int) -> HttpResponse:
    rule = lookup.rule(pk)
    if request.method == "POST":
        rules.remove(rule)
        messages.success(request, "The rule is deleted.")
        return redirect("notifications")
    return render(request, "notifications/rule_delete.html", {"rule": rule})
