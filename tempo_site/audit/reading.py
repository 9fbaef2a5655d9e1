"""The audit as the page and the API show it: filtered, the newest first."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Model, Q, QuerySet

from tempo_site.audit import trail
from tempo_site.models import AuditEntry


@dataclass(frozen=True, kw_only=True)
class Filter:
    """What to look for: words in names, a kind of actor, a verb, a kind of thing, an address, a time."""

    q: str = ""
    actor: str = ""
    verb: str = ""
    kind: str = ""
    address: str = ""
    after: datetime | None = None
    before: datetime | None = None


def entries_of_row(row: Model) -> QuerySet[AuditEntry]:
    """Return what was done to a row, the newest first."""
    return AuditEntry.objects.filter(object_id=str(row.pk), kind=trail.kind_of(row))


def entries_of_owner(name: str) -> QuerySet[AuditEntry]:
    """Return what was done to whatever is recorded as somebody's: `#7 of hello-world`, a file, a variable."""
    return AuditEntry.objects.filter(object_name__endswith=f"of {name}")


def entries(asked: Filter, *, below: int | None = None) -> QuerySet[AuditEntry]:
    """Return the entries that match, the newest first, those before the entry `below`."""
    rows = AuditEntry.objects.all()
    if below:
        rows = rows.filter(pk__lt=below)
    for name in ("actor", "verb", "kind", "address"):
        value = getattr(asked, name)
        if value:
            rows = rows.filter(**{name: value})
    if asked.q:
        rows = rows.filter(Q(name__icontains=asked.q) | Q(object_name__icontains=asked.q))
    if asked.after:
        rows = rows.filter(at__gte=asked.after)
    if asked.before:
        rows = rows.filter(at__lt=asked.before)
    return rows


def before_and_after(value: object) -> str:
    """Return a value of an entry's changes in words: `before → after`, or what there is."""
    if isinstance(value, list) and len(value) == 2:
        return f"{_shown(value[0])} → {_shown(value[1])}"
    return _shown(value)


def _shown(value: object) -> str:
    return "nothing" if value in (None, "") else str(value)
