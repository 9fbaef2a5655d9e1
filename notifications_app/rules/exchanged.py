"""Rules of scripts in an export, by the names of their channels, and rules that are made of those again."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from notifications_app.models import Channel, Rule
from notifications_app.rules import rules
from scripts_app.exchange.parts import Part
from scripts_app.models import Script

NUMBERS = ("after", "every", "skipped", "late_s", "slow_s")
FIELDS = ("enabled", "events", "reminder", *NUMBERS)
Row = dict[str, Any]


def rows_of(keys: Collection[int]) -> Mapping[int, list[Row]]:
    """Return the rules of scripts' own as rows, by the key of the script."""
    found: dict[int, list[Row]] = {}
    own = Rule.objects.filter(script__in=keys).select_related("channel")
    for rule in own.order_by("channel__name", "pk"):
        fields = {name: getattr(rule, name) for name in FIELDS}
        row = {"channel": rule.channel.name, **fields}
        found.setdefault(rule.script_id or 0, []).append(row)
    return found


def notes(rows: Sequence[Row]) -> list[str]:
    """Return a sentence for each channel that is not here."""
    missing = sorted({_name(row) for row in rows} - _channels(rows).keys())
    return [f"there is no channel `{name}` here: its rule is left out" for name in missing]


def check(rows: Sequence[Row]) -> None:
    """Raise RuleError for rows that store() would refuse."""
    list(_checked(None, rows, _channels(rows)))


def store(pairs: Sequence[tuple[Script, Sequence[Row]]]) -> None:
    """Give scripts these rules in place of their own, those apart whose channel is not here. Raise RuleError."""
    here = rows_of([script.pk for script, _ in pairs])
    changed = [(script, rows) for script, rows in pairs if here.get(script.pk, []) != list(rows)]
    for rule in Rule.objects.filter(script__in=[script.pk for script, _ in changed]):
        rules.remove(rule)
    channels = _channels([row for _, rows in changed for row in rows])
    made: list[Rule] = []
    for script, rows in changed:
        made += _checked(script, rows, channels)
    rules.create_all(made)


def _checked(
    script: Script | None, rows: Sequence[Row], channels: Mapping[str, Channel]
) -> Iterator[Rule]:
    for row in rows:
        if _name(row) in channels:
            rule = Rule(channel=channels[_name(row)], script=script)
            rules.check(rule, _fields(row), unchecked=("channel", "script"))
            yield rule


def _fields(row: Row) -> Row:
    for name in NUMBERS:
        if type(row.get(name, 0)) is not int or row.get(name, 0) < 0:
            raise rules.RuleError(f"`{name}` of a rule has to be a whole number", field=name)
    return {name: row[name] for name in FIELDS if name in row}


def _channels(rows: Sequence[Row]) -> dict[str, Channel]:
    named = Channel.objects.filter(name__in=[_name(row) for row in rows])
    usual = named.exclude(kind=Channel.Kind.HEARTBEAT)
    return {channel.name: channel for channel in usual}


def _name(row: Row) -> str:
    return str(row.get("channel", ""))[:100]


PART = Part(name="rules", read=rows_of, notes=notes, check=check, store=store)
