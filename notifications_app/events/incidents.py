"""Incidents: opened at the first sign, counted, closed at the recovery."""

from datetime import datetime

from notifications_app.models import Channel, Delivery, Event, Incident
from notifications_app.rules import book
from runs_app.models import Run
from scripts_app.models import Script


def open_incident(kind: Event, script: Script | None, subject: str = "") -> Incident | None:
    return Incident.objects.filter(
        kind=kind, script=script, subject=subject, recovered_at=None
    ).first()


def note_bad_run(kind: Event, run: Run, *, now: datetime) -> Incident:
    """Count a bad run: it opens an incident of its script, or goes on with the open one."""
    incident = open_incident(kind, run.script)
    if incident is None:
        incident = Incident(kind=kind, script=run.script, first_run=run, opened_at=_ended(run, now))
    incident.streak += 1
    incident.last_run = run
    incident.save()
    assert run.script_id
    book.note_trouble(run.script_id, is_open=True)
    return incident


def begin(kind: Event, script: Script | None, subject: str, *, now: datetime) -> Incident | None:
    """Open an incident of what is no run; None when it is open already."""
    if open_incident(kind, script, subject):
        return None
    return Incident.objects.create(
        kind=kind, script=script, subject=subject, opened_at=now, streak=1
    )


def close(incident: Incident, *, now: datetime) -> None:
    incident.recovered_at = now
    incident.save(update_fields=["recovered_at"])
    if incident.script_id:
        others = Incident.objects.filter(script=incident.script_id, recovered_at=None)
        untold = book.unannounced().filter(script=incident.script_id)
        book.note_trouble(incident.script_id, is_open=others.exists() or untold.exists())


def was_told(incident: Incident, channel: Channel) -> bool:
    told = Delivery.objects.filter(incident=incident, channel=channel, event=incident.kind)
    return told.exists()


def _ended(run: Run, now: datetime) -> datetime:
    return run.finished_at or now
