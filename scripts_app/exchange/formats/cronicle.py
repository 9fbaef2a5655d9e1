"""Reading Cronicle: its export (`control.sh export`), or the answer of `get_schedule` and `get_event` of its API."""

from collections.abc import Iterator
from typing import Any

from scripts_app.crontab import codegen
from scripts_app.crontab.codegen import CommandContext
from scripts_app.crontab.parser import printable
from scripts_app.exchange.formats import command_items
from scripts_app.exchange.items import Item, Row
from scripts_app.exchange.texts import read_json
from scripts_app.models import Schedule
from scripts_app.timing import rule
from scripts_app.timing.rule import Timing, TimingError
from scripts_app.validation import MAX_NAME

HEAD = "# Cronicle Data Export"
SHELL_PLUGIN, URL_PLUGIN = "shellplug", "urlplug"
FIELDS = ("minutes", "hours", "days", "months", "weekdays")
MB = 2**20
MOST_RETRIES, LONGEST_WAIT_S, MOST_PARALLEL = 10, 86_400, 20
# What else an event may say, and what becomes of that.
LEFT_OUT = {
    "web_hook": "its web hook is not called: make a channel and a rule under Notifications",
    "chain": "it started another event when it succeeded: that is not taken over",
    "chain_error": "it started another event when it failed: that is not taken over",
    "multiplex": "it ran on several servers: here it runs on this one",
    "cpu_limit": "its limit of CPU is a share of a core, which there is none of here",
}
_REQUEST = """\
# Asks for an address, as Cronicle did.

import urllib.request

request = urllib.request.Request({url!r}, data={data!r}, headers={headers!r}, method={method!r})
with urllib.request.urlopen(request, timeout={timeout}) as answer:
    print(answer.status, answer.reason)
    print(answer.read().decode(errors="replace"))
"""


def events(text: str) -> tuple[list[Row], dict[str, str]]:
    """Return the events in a text, and the titles of categories by their id; no event where it is not Cronicle's."""
    if text.startswith(HEAD):
        lists = dict(_lists(text))
        titles = {row.get("id", ""): row.get("title", "") for row in lists.get("categories", ())}
        return lists.get("schedule", []), titles
    whole = read_json(text)
    if isinstance(whole, dict):
        whole = whole.get("rows", [whole.get("event")])
    rows = whole if isinstance(whole, list) else []
    return [row for row in rows if isinstance(row, dict) and "plugin" in row], {}


def items(rows: list[Row], titles: dict[str, str]) -> list[Item]:
    taken: set[str] = set()
    return [_item(row, titles, taken) for row in rows]


# The lines are `global/schedule/0 - {"items": [...]}`.
def _lists(text: str) -> Iterator[tuple[str, list[Row]]]:
    found: dict[str, list[Row]] = {}
    for line in text.split("\n"):
        key, _, content = line.partition(" - ")
        parts = key.split("/")
        if len(parts) == 3 and parts[0] == "global":
            page = read_json(content)
            rows = page.get("items", []) if isinstance(page, dict) else []
            found.setdefault(parts[1], []).extend(row for row in rows if isinstance(row, dict))
    yield from found.items()


def _item(event: Row, titles: dict[str, str], taken: set[str]) -> Item:
    name = printable(str(event.get("title") or "Event of Cronicle"), MAX_NAME)
    code, notes = _code(event)
    schedules, more = _schedules(event)
    settings: Row = {"name": name, "description": str(event.get("notes") or "")}
    category = titles.get(str(event.get("category")), "")
    if category:
        settings["folder"] = category.replace("/", " ")
    if _number(event, "timeout"):
        settings["timeout_s"] = _number(event, "timeout")
    if _number(event, "memory_limit") >= 16 * MB:
        settings["memory_mb"] = _number(event, "memory_limit") // MB
    return Item(
        slug=command_items.free(name, taken),
        settings={key: value for key, value in settings.items() if value},
        code=code,
        schedules=schedules,
        notes=[*notes, *more, *_left_out(event)],
    )


def _code(event: Row) -> tuple[str, list[str]]:
    params = event.get("params")
    params = params if isinstance(params, dict) else {}
    plugin = str(event.get("plugin"))
    title = printable(str(event.get("title")))
    if plugin == SHELL_PLUGIN:
        return _of_shell(str(params.get("script", "")), title)
    if plugin == URL_PLUGIN:
        return _of_request(params), []
    code = codegen.missing_file(
        f"plugin {plugin}", CommandContext(line=title), reason="is a program on Cronicle's server"
    )
    return code, [f"its plugin `{printable(plugin, 60)}` is not in the export: you get a starter"]


def _of_shell(script: str, title: str) -> tuple[str, list[str]]:
    first, _, rest = script.replace("\r\n", "\n").partition("\n")
    if first.startswith("#!") and "python" in first:
        return rest.lstrip("\n"), []
    shell = first[2:].split() if first.startswith("#!") else [codegen.SHELL]
    code = codegen.in_shell(script, CommandContext(line=title), words=[*shell, "-c"])
    return code, ["it is not Python: you get a starter that calls it"]


def _of_request(params: Row) -> str:
    lines = [line.partition(":") for line in str(params.get("headers") or "").splitlines()]
    headers = {name.strip(): value.strip() for name, _, value in lines if name.strip()}
    data = str(params.get("data") or "")
    return _REQUEST.format(
        url=str(params.get("url", "")),
        data=data.encode() if data else None,
        headers=headers,
        method=str(params.get("method") or "GET").upper(),
        timeout=_number(params, "timeout") or 30,
    )


def _schedules(event: Row) -> tuple[list[Row], list[str]]:
    timing = event.get("timing")
    if not isinstance(timing, dict):
        return [], ["it had no schedule: it was started by hand"]
    if timing.get("days") and timing.get("weekdays"):
        return [], ["no schedule: in Cronicle both its day and its weekday had to fit"]
    try:
        fields = [_field(timing.get(name)) for name in FIELDS]
        years = timing.get("years")
        cron = f"0 {' '.join(fields)} {_field(years)}" if years else " ".join(fields)
        zone = str(event.get("timezone") or "UTC")
        rule.check(Timing(kind=Schedule.Kind.CRON, cron=cron, timezone=zone))
    except (TimingError, TypeError, ValueError) as error:
        return [], [f"no schedule: {str(error)[:200]}"]
    row: Row = {"kind": "cron", "cron": cron, "timezone": zone}
    row["enabled"] = bool(event.get("enabled"))
    return [{**row, **_policies(event)}], []


def _field(values: Any) -> str:
    return ",".join(str(int(value)) for value in values) if values else "*"


def _policies(event: Row) -> Row:
    most = _number(event, "max_children") or 1
    row: Row = {"overlap": "queue_one" if event.get("queue") else "skip"}
    if most > 1:
        row = {"overlap": "parallel", "max_parallel": min(most, MOST_PARALLEL)}
    row["missed"] = "all" if event.get("catch_up") else "skip"
    if _number(event, "retries"):
        row["retries"] = min(_number(event, "retries"), MOST_RETRIES)
        row["retry_delay_s"] = min(max(_number(event, "retry_delay"), 1), LONGEST_WAIT_S)
    return row


def _number(row: Row, name: str) -> int:
    value = row.get(name)
    return int(value) if isinstance(value, int | float) and 0 < value < 2**31 else 0


def _left_out(event: Row) -> Iterator[str]:
    yield from (sentence for name, sentence in LEFT_OUT.items() if event.get(name))
    addresses = {str(event.get(name) or "") for name in ("notify_success", "notify_fail")} - {""}
    for each in sorted(addresses):
        yield f"it sent mail to `{printable(each, 100)}`: make a channel and a rule for that"
