"""Deliveries and incidents that are over are kept for thirty days.

What was told of an incident that is still open stays: its recovery is told to those who heard of it.
"""

from datetime import datetime, timedelta

from notifications_app.models import Delivery, Incident

KEPT_FOR = timedelta(days=30)
BATCH = 500  # rows in one transaction


def prune(*, now: datetime) -> int:
    """Delete what is older; return the number of deliveries that went."""
    before = now - KEPT_FOR
    over = Delivery.objects.exclude(pk__in=Delivery.objects.open().values("pk"))
    over = over.exclude(incident__isnull=False, incident__recovered_at=None)
    count = 0
    while True:
        old = list(over.filter(created_at__lt=before).values_list("pk", flat=True)[:BATCH])
        if not old:
            break
        Delivery.objects.filter(pk__in=old).delete()
        count += len(old)
    Incident.objects.filter(recovered_at__lt=before).delete()
    return count
