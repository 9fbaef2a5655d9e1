"""REST operations on deliveries: the outbox, newest first."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from pydantic import BaseModel

from notifications_app import lookup
from notifications_app.api.common import require_staff, router
from notifications_app.events import outbox
from notifications_app.models import Delivery
from tempo_site import auth
from tempo_site.web.api_types import Cursor, Limit, cursor_after, number_of


class DeliveryOut(BaseModel):
    """One event for one channel. Deliveries that were sent together bear the same `message_id`."""

    id: int
    channel: int
    event: str
    script: str | None
    run: int | None
    title: str
    status: str
    attempts: int
    created_at: datetime
    next_at: datetime | None
    finished_at: datetime | None
    duration_ms: int | None
    http_status: int | None
    answer: str
    message_id: str


class DeliveryPage(BaseModel):
    """Deliveries, newest first."""

    items: list[DeliveryOut]
    next_cursor: str | None


@router.get("/deliveries", response=DeliveryPage)
def list_deliveries(
    request: auth.AuthenticatedRequest,
    limit: Limit,
    cursor: Cursor,
    channel: int | None = None,
    status: Delivery.Status | None = None,
) -> DeliveryPage:
    """List deliveries, of one channel or with one status where that is asked."""
    require_staff(request)
    rows = lookup.deliveries()
    if channel is not None:
        rows = rows.filter(channel=lookup.channel(channel))
    if status is not None:
        rows = rows.filter(status=status)
    if cursor:
        rows = rows.filter(pk__lt=number_of(cursor))
    found = list(rows[: limit + 1])
    items = [delivery_out(row) for row in found[:limit]]
    return DeliveryPage.model_construct(items=items, next_cursor=cursor_after(found, limit))


@router.get("/deliveries/{int:delivery_id}", response=DeliveryOut)
def read_delivery(request: auth.AuthenticatedRequest, delivery_id: int) -> DeliveryOut:
    """Show a delivery."""
    require_staff(request)
    return delivery_out(lookup.delivery(delivery_id))


@router.post("/deliveries/{int:delivery_id}/again", response=DeliveryOut)
def send_again(request: auth.AuthenticatedRequest, delivery_id: int) -> DeliveryOut:
    """Send a delivery once more; one that waits for its next try is tried now."""
    require_staff(request)
    outbox.send_again_or_try_now(lookup.delivery(delivery_id), now=timezone.now())
    return delivery_out(lookup.delivery(delivery_id))


@router.post("/deliveries/{int:delivery_id}/give-up", response=DeliveryOut)
def give_up(request: auth.AuthenticatedRequest, delivery_id: int) -> DeliveryOut:
    """End a delivery that waits; one that does not wait stays as it is."""
    require_staff(request)
    why = f"Given up by {request.auth.name}"
    outbox.give_up(lookup.delivery(delivery_id), why, now=timezone.now())
    return delivery_out(lookup.delivery(delivery_id))


def delivery_out(row: Delivery) -> DeliveryOut:
    fields: dict[str, Any] = {
        name: getattr(row, name) for name in DeliveryOut.model_fields if name != "id"
    }
    fields["channel"] = row.channel_id
    fields["script"] = row.script.slug if row.script else None
    fields["run"] = row.run_id
    return DeliveryOut.model_construct(id=row.pk, **fields)
