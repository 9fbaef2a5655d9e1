"""Offers: to tell whom cron sent mail to, and to try the mail settings."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from notifications_app import lookup
from notifications_app.channels import offers
from notifications_app.channels.channels import InvalidChannel
from notifications_app.delivery import trial
from notifications_app.views.access import for_staff
from tempo_site import auth


@require_POST
@for_staff
def mail_to_offer(request: auth.SignedInRequest, pk: int) -> HttpResponse:
    schedule = lookup.schedule_with_mail(pk)
    script, mail_to = schedule.script, schedule.mail_to
    if request.POST.get("act") == "dismiss":
        offers.dismiss_mail_to(schedule)
        messages.success(request, f"{mail_to} is not told of {script}.")
        return redirect("notifications")
    try:
        offers.accept_mail_to(schedule)
    except InvalidChannel as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(
            request, f"{mail_to} is told when {script} fails, recovers or did not run."
        )
    return redirect("notifications")


@require_POST
@for_staff
def test_mail(request: auth.SignedInRequest) -> HttpResponse:
    address = request.POST.get("to", "").strip()
    try:
        answer = trial.send_test_mail(address, now=timezone.now())
    except ValueError as refusal:
        messages.error(request, f"{refusal}.")
        return redirect("settings", "mail")
    if answer.outcome == trial.SENT:
        messages.success(request, f"The test went to {address}. The answer: {answer.answer}")
    else:
        messages.error(request, f"The test was not sent. {answer.answer}")
    return redirect("settings", "mail")
