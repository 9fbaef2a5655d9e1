"""The content of a letter, by the kind of its channel."""

import json
from collections.abc import Sequence
from datetime import datetime
from email.utils import format_datetime, parseaddr
from typing import Any

from django.template.loader import render_to_string
from django.utils import timezone

from notifications_app.messages import links, output_tail, report, titles
from notifications_app.messages.report import Report
from notifications_app.models import Channel, Delivery, Event, Notice
from runs_app.models import Run

LEVELS: dict[str, str] = {
    Event.FAILED: "failure",
    Event.ENVIRONMENT_BROKEN: "failure",
    Event.BACKUP_FAILED: "failure",
    Event.RECOVERED: "success",
    Event.SUCCEEDED: "success",
    Event.RESTARTED: "info",
    Notice.WEEKLY_REPORT: "info",
}
MAX_ITEMS = 500
LOCAL_HOST = "tempo.invalid"  # the domain of message ids where From names none


def content_of(
    channel: Channel, rows: Sequence[Delivery], *, message_id: str, from_email: str, now: datetime
) -> dict[str, Any]:
    """Return the `content` of a letter about deliveries, oldest first: the same each time, but for the time of now."""
    if channel.kind == Channel.Kind.HEARTBEAT:
        return dict(rows[-1].facts)
    if channel.kind == Channel.Kind.WEBHOOK:
        return {"body": webhook_body(rows)}
    told = report.report_on(rows)
    title = titles.from_tempo(told.title)
    if channel.kind == Channel.Kind.APPRISE:
        return {"title": title, "text": text_of(told), "level": level_of(rows)}
    return {
        "subject": title,
        "text": text_of(told),
        "html": render_to_string("notifications/mail.html", {"report": told}),
        "headers": mail_headers(rows, message_id=message_id, from_email=from_email, now=now),
    }


def text_of(told: Report) -> str:
    parts = []
    if told.facts:
        parts.append("\n".join(f"{label}: {value}" for label, value in told.facts))
    if told.lines:
        parts.append("\n".join(line.title for line in told.lines))
    if told.more:
        parts.append(f"and {told.more} more")
    if told.output:
        parts.append(f"The end of the output:\n{told.output}")
    if told.link:
        parts.append(told.link)
    return "\n\n".join(parts) or told.title


def level_of(rows: Sequence[Delivery]) -> str:
    """Return the worst level of the deliveries."""
    levels = {LEVELS.get(row.event, "warning") for row in rows}
    for level in ("failure", "warning", "success"):
        if level in levels:
            return level
    return "info"


def mail_headers(
    rows: Sequence[Delivery], *, message_id: str, from_email: str, now: datetime
) -> dict[str, str]:
    domain = parseaddr(from_email)[1].rpartition("@")[2] or LOCAL_HOST
    headers = {
        "Message-ID": f"<{message_id}@{domain}>",
        "Date": format_datetime(timezone.localtime(now)),
        "Auto-Submitted": "auto-generated",
    }
    threads = {row.incident.thread for row in rows if row.incident}
    if len(threads) == 1:  # all messages of an incident are one thread
        headers["References"] = f"<incident-{threads.pop().hex}@{domain}>"
    rule_page = links.of_rule(rows[0].rule)
    if rule_page:
        headers["List-Unsubscribe"] = f"<{rule_page}>"
    return headers


def webhook_body(rows: Sequence[Delivery]) -> str:
    body = _item(rows[0])
    if len(rows) > 1:
        body["items"] = [_item(row) for row in rows[:MAX_ITEMS]]
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def _item(row: Delivery) -> dict[str, Any]:
    item = {
        "event": row.event,
        "at": row.created_at.isoformat(),
        "title": row.title,
        "script": _script(row),
        "run": _run(row.run) if row.run else None,
        "streak": row.facts.get("streak", 0),
    }
    if row.facts.get("lines"):  # the weekly report
        item["facts"] = dict(row.facts["lines"])
    return item


def _script(row: Delivery) -> dict[str, str] | None:
    if row.script is None:
        return None
    folder = row.script.folder.path if row.script.folder else ""
    return {"slug": row.script.slug, "name": row.script.name, "folder": folder}


def _run(run: Run) -> dict[str, Any]:
    return {
        "id": run.pk,
        "status": run.status,
        "reason": run.reason,
        "exit_code": run.exit_code,
        "url": links.of_run(run) or None,
        "started_at": run.started_at.isoformat() if run.started_at else None,
        "duration_s": run.duration_s,
        "output_tail": output_tail.read(run),
    }
