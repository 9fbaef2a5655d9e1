"""Channels: the choice of a kind, the form, a test, secrets that are shown once, and the way back from being aside."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from notifications_app import lookup
from notifications_app.channels import channels, kinds, presets, targets
from notifications_app.delivery import trial
from notifications_app.forms import ChannelForm
from notifications_app.models import Channel
from notifications_app.views.access import for_staff, form_page
from scripts_app import lookup as scripts_lookup
from tempo_site import auth

SAVE_AND_TEST = "test"


@require_safe
@for_staff
def channel_kinds(request: auth.SignedInRequest) -> HttpResponse:
    return render(request, "notifications/channel_kinds.html", {"kinds": kinds.choices()})


@form_page
def channel_new(request: auth.SignedInRequest, kind: str) -> HttpResponse:
    if not kinds.is_known(kind):
        raise Http404(f"There is no kind of channel `{kind[:40]}`.")
    channel = kinds.new_channel(kind)
    if "script" in request.GET:
        channel.script = scripts_lookup.script(request.GET["script"])
    return channel_page(request, channel)


@form_page
def channel_edit(request: auth.SignedInRequest, pk: int) -> HttpResponse:
    return channel_page(request, lookup.channel(pk))


@sensitive_variables()
def channel_page(request: auth.SignedInRequest, channel: Channel) -> HttpResponse:
    is_new = channel.pk is None
    form = ChannelForm(channel, request.POST or None)
    saved = form.save() if form.is_bound and form.is_valid() else None
    if saved is None:
        return render(request, "notifications/channel.html", channel_context(form, channel))
    messages.success(request, f"The channel `{saved.name}` is saved.")
    if Channel.objects.that_hear_nothing().filter(pk=saved.pk).exists():
        messages.info(
            request, "No rule names it yet, so it hears of nothing: add a rule on Notifications."
        )
    if request.POST.get("act") == SAVE_AND_TEST:
        test_and_report(request, saved)
    if is_new and saved.kind == Channel.Kind.WEBHOOK and not saved.secret:
        return secret_page(request, saved)
    return redirect("channel-edit", saved.pk)


def channel_context(form: ChannelForm, channel: Channel) -> dict[str, Any]:
    return {
        "now": timezone.now(),
        "form": form,
        "channel": channel,
        "preset": presets.BY_NAME.get(channel.preset),
        "has_mail": targets.has_mail(),
        "timeout_s": round(trial.TIMEOUT_S),
    }


@require_POST
@for_staff
def channel_test(request: auth.SignedInRequest, pk: int) -> HttpResponse:
    test_and_report(request, lookup.channel(pk))
    return redirect("channel-edit", pk)


def test_and_report(request: auth.SignedInRequest, channel: Channel) -> None:
    answer = trial.send_test(channel, now=timezone.now())
    if answer.outcome == trial.SENT:
        messages.success(request, f"The test was sent. The receiver's answer: {answer.answer}")
    else:
        messages.error(request, f"The test was not sent. {answer.answer}")


@require_POST
@for_staff
def channel_resume(request: auth.SignedInRequest, pk: int) -> HttpResponse:
    channel = lookup.channel(pk)
    channels.resume(channel)
    messages.success(request, f"`{channel.name}` is used again.")
    return redirect("channel-edit", pk)


@require_POST
@for_staff
def channel_secret(request: auth.SignedInRequest, pk: int) -> HttpResponse:
    channel = lookup.channel(pk)
    if channel.kind != Channel.Kind.WEBHOOK:
        raise Http404("Only a webhook has a secret.")
    if request.POST.get("act") == "end":
        channels.end_rotation(channel)
        messages.success(request, "The secret of before signs nothing any more.")
        return redirect("channel-edit", pk)
    return secret_page(request, channel)


@never_cache
@sensitive_variables()
def secret_page(request: HttpRequest, channel: Channel) -> HttpResponse:
    context = {"secret": channels.rotate_secret(channel), "channel": channel}
    return render(request, "notifications/secret.html", context)


@form_page
def channel_delete(request: auth.SignedInRequest, pk: int) -> HttpResponse:
    channel = lookup.channel(pk)
    if request.method == "POST":
        channels.remove(channel)
        messages.success(request, f"The channel `{channel.name}` is deleted.")
        return redirect("notifications")
    context = {"channel": channel, "rules": channel.rules.count()}
    return render(request, "notifications/channel_delete.html", context)
