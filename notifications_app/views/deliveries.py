"""Deliveries: the outbox, newest first; each can be sent again or given up."""

from datetime import datetime
from typing import TypedDict

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from notifications_app import lookup
from notifications_app.delivery import delivery_table
from notifications_app.events import outbox
from notifications_app.forms import DeliveryFilterForm
from notifications_app.models import Delivery
from notifications_app.views.access import for_staff
from runs_app.exports import table
from tempo_site import auth

PAGE = 50


class DeliveryListContext(TypedDict):
    now: datetime
    form: DeliveryFilterForm
    deliveries: list[Delivery]
    older: int | None
    before: int | None
    query: str


@require_safe
@for_staff
def delivery_list(request: auth.SignedInRequest) -> HttpResponse:
    context = delivery_list_context(request.GET, now=timezone.now())
    return render(request, "notifications/deliveries.html", context)


@require_safe
@for_staff
def delivery_export(request: auth.SignedInRequest, suffix: str) -> HttpResponse:
    """The newest deliveries of a filtered list as a file, at most 10,000."""
    rows = filtered(DeliveryFilterForm(request.GET))[: table.MAX_ROWS]
    return table.response(delivery_table.table_of_deliveries(rows), suffix)


def filtered(form: DeliveryFilterForm) -> QuerySet[Delivery]:
    form.is_valid()  # a value that cannot be read filters nothing, and its field says so
    rows = lookup.deliveries()
    for name in ("channel", "status"):
        if form.cleaned_data.get(name):
            rows = rows.filter(**{name: form.cleaned_data[name]})
    return rows


def delivery_list_context(query: QueryDict, *, now: datetime) -> DeliveryListContext:
    form = DeliveryFilterForm(query)
    rows = filtered(form)
    before = form.cleaned_data.get("before")
    if before:
        rows = rows.filter(pk__lt=before)
    deliveries = list(rows[: PAGE + 1])
    older = None
    if len(deliveries) > PAGE:
        older = deliveries[PAGE - 1].pk
    rest = query.copy()
    rest.pop("before", None)
    return {
        "now": now,
        "form": form,
        "deliveries": deliveries[:PAGE],
        "older": older,
        "before": before,
        "query": rest.urlencode(),
    }


@require_POST
@for_staff
def delivery_act(request: auth.SignedInRequest, pk: int) -> HttpResponse:
    delivery, now = lookup.delivery(pk), timezone.now()
    if request.POST.get("act") == "again":
        if outbox.send_again_or_try_now(delivery, now=now):
            messages.success(request, f"“{delivery.title}” is sent now.")
        else:
            messages.info(request, f"“{delivery.title}” is on its way already.")
    elif outbox.give_up(delivery, f"Given up by {request.user.get_username()}", now=now):
        messages.success(request, f"“{delivery.title}” is given up.")
    else:
        messages.info(request, f"“{delivery.title}” did not wait any more.")
    target = request.POST.get("next", "")
    if target.startswith("/") and url_has_allowed_host_and_scheme(target, allowed_hosts=None):
        return redirect(target)
    return redirect("delivery-list")
