"""Deliveries as rows of a file."""

from collections.abc import Iterable
from typing import Any

from notifications_app.models import Delivery
from runs_app.exports.table import Table

COLUMNS = (
    *("id", "channel", "event", "script", "run", "title", "status", "attempts", "created_at"),
    *("next_at", "finished_at", "duration_ms", "http_status", "answer", "message_id"),
)


def table_of_deliveries(deliveries: Iterable[Delivery]) -> Table:
    return Table(name="deliveries", columns=COLUMNS, rows=[_row(each) for each in deliveries])


def _row(delivery: Delivery) -> dict[str, Any]:
    row = {name: getattr(delivery, name) for name in COLUMNS}
    row["channel"] = delivery.channel.name
    row["script"] = delivery.script.slug if delivery.script else None
    row["run"] = delivery.run_id
    return row
