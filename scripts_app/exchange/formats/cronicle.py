"""Reading Cronicle: its export (`control.sh export`), or the answer of `get_schedule` and `get_event` of its API."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
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
ANY_SERVER = ".+"
_PLACE = re.compile(r"\[[A-Za-z_][A-Za-z0-9_/]{0,40}\]")
MOST_RETRIES, LONGEST_WAIT_S, MOST_PARALLEL = 10, 86_400, 20
# What else an event may say, and what becomes of that.
LEFT_OUT = {
    "chain": "it started another event when it succeeded: that is not taken over",
    "chain_error": "it started another event when it failed: that is not taken over",
    "multiplex": "it ran on several servers: here it runs on this one",
    "cpu_limit": "its limit of CPU is a share of a core, which there is none of here",
    "queue": "of the starts that wait for its end one is kept",
}
LEFT_OUT_OF_SHELL = {"json": "what it prints as JSON was read by Cronicle: here it is output"}
LEFT_OUT_OF_REQUEST = {
    "ssl_cert_bypass": "it took any certificate: here it has to be a good one",
    "success_match": "it failed unless the answer held `{value}`: add that to its code",
    "error_match": "it failed where the answer held `{value}`: add that to its code",
}
WEB_HOOK = "its web hook is not called: make a channel and a rule under Notifications"
_REQUEST = """\
# Asks for an address, as Cronicle did.

import urllib.request

request = urllib.request.Request({url!r}, data={data!r}, headers={headers!r}, method={method!r})
with urllib.request.urlopen(request, timeout={timeout}) as answer:
    print(answer.status, answer.reason)
    print(answer.read().decode(errors="replace"))
"""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What an export says beside its events: categories, plugins and groups of servers, by their id."""

    categories: Mapping[str, Row] = field(default_factory=dict)
    plugins: Mapping[str, Row] = field(default_factory=dict)
    groups: Mapping[str, Row] = field(default_factory=dict)


def events(text: str) -> tuple[list[Row], Known]:
    """Return the events in a text, and what it says beside; no event where it is not Cronicle's."""
    if text.startswith(HEAD):
        lists = dict(_lists(text))
        known = Known(
            categories=_by_id(lists.get("categories", [])),
            plugins=_by_id(lists.get("plugins", [])),
            groups=_by_id(lists.get("server_groups", [])),
        )
        return lists.get("schedule", []), known
    whole = read_json(text)
    if isinstance(whole, dict):
        whole = whole.get("rows", [whole.get("event")])
    if not isinstance(whole, list):
        whole = []
    return [row for row in whole if isinstance(row, dict) and "plugin" in row], Known()


def items(rows: list[Row], known: Known) -> list[Item]:
    taken: set[str] = set()
    return [_item(row, known, taken) for row in rows]


def _by_id(rows: list[Row]) -> dict[str, Row]:
    return {str(row.get("id")): row for row in rows}


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


def _item(event: Row, known: Known, taken: set[str]) -> Item:
    name = printable(str(event.get("title") or "Event of Cronicle"), MAX_NAME)
    category = known.categories.get(str(event.get("category")), {})
    plugin = known.plugins.get(str(event.get("plugin")), {})
    code, notes = _code(event, plugin)
    schedules, more = _schedules(event)
    for title, row in (("category", category), ("plugin", plugin)):
        if schedules and row and not row.get("enabled", 1):
            schedules[0]["enabled"] = False
            notes.append(f"its {title} was switched off: its schedule is off, too")
    settings = _limits(event)
    settings["name"] = name
    settings["description"] = str(event.get("notes") or "")
    settings["folder"] = str(category.get("title") or "").replace("/", " ")
    return Item(
        slug=command_items.free(name, taken),
        settings={key: value for key, value in settings.items() if value},
        code=code,
        schedules=schedules,
        notes=[*notes, *more, *_left_out(event, category, known)],
    )


def _limits(event: Row) -> Row:
    limits: Row = {"timeout_s": _number(event, "timeout")}
    if _number(event, "memory_limit") >= 16 * MB:
        limits["memory_mb"] = _number(event, "memory_limit") // MB
    if _number(event, "log_max_size"):
        limits["output_mb"] = max(_number(event, "log_max_size") // MB, 1)
    return limits


def _code(event: Row, plugin: Row) -> tuple[str, list[str]]:
    params = event.get("params")
    if not isinstance(params, dict):
        params = {}
    name = str(event.get("plugin"))
    title = printable(str(event.get("title")))
    if name == SHELL_PLUGIN:
        code, notes = _of_shell(str(params.get("script", "")), title)
        return code, [*notes, *_said(params, LEFT_OUT_OF_SHELL)]
    if name == URL_PLUGIN:
        return _of_request(params), list(_notes_on_request(params))
    what = f"the plugin {printable(str(plugin.get('title') or name), 60)}"
    command = str(plugin.get("command") or "")
    note = "its plugin is not in the export: you get a starter"
    if command:
        note = f"{what} called `{printable(command, 200)}` of Cronicle's server: you get a starter"
    reason = "is a program on Cronicle's server"
    code = codegen.missing_file(what, CommandContext(line=title), reason=reason)
    given = ", ".join(f"`{printable(name, 40)}`" for name in sorted(params)[:20])
    if not given:
        return code, [note]
    return code, [note, f"the plugin took {given}: their values stay there"]


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
    method = str(params.get("method") or "GET").upper()
    data = None
    if method == "POST":
        data = str(params.get("data") or "").encode()
    return _REQUEST.format(
        url=str(params.get("url", "")),
        data=data,
        headers=headers,
        method=method,
        timeout=_number(params, "timeout") or 30,
    )


def _notes_on_request(params: Row) -> Iterator[str]:
    yield from _said(params, LEFT_OUT_OF_REQUEST)
    texts = [str(params.get(name) or "") for name in ("url", "headers", "data")]
    places = [place for text in texts for place in _PLACE.findall(text)]
    if places:
        words = ", ".join(f"`{place}`" for place in sorted(set(places))[:5])
        yield f"Cronicle put values in the place of {words}: write them into its code"


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
    if not values:
        return "*"
    return ",".join(str(int(value)) for value in values)


def _policies(event: Row) -> Row:
    most = _number(event, "max_children")
    row: Row = {"overlap": "queue_one" if event.get("queue") else "skip"}
    if most != 1:  # 0: any number
        row = {"overlap": "parallel", "max_parallel": min(most or MOST_PARALLEL, MOST_PARALLEL)}
    row["missed"] = "all" if event.get("catch_up") else "skip"
    if _number(event, "retries"):
        row["retries"] = min(_number(event, "retries"), MOST_RETRIES)
        row["retry_delay_s"] = min(max(_number(event, "retry_delay"), 1), LONGEST_WAIT_S)
    return row


# The forms of plugins send numbers as texts.
def _number(row: Row, name: str) -> int:
    value = row.get(name)
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = int(value[:10])
    if isinstance(value, int | float) and 0 < value < 2**31:
        return int(value)
    return 0


def _said(row: Row, sentences: Mapping[str, str]) -> Iterator[str]:
    for name, sentence in sentences.items():
        if row.get(name):
            yield sentence.format(value=printable(str(row[name]), 100))


def _left_out(event: Row, category: Row, known: Known) -> Iterator[str]:
    yield from _said(event, LEFT_OUT)
    if event.get("web_hook") or category.get("web_hook"):
        yield WEB_HOOK
    if event.get("category") and not known.categories:
        yield f"its category `{printable(str(event['category']), 60)}` has no name in this file: no folder"
    group = known.groups.get(str(event.get("target")), {})
    if group and group.get("regexp") != ANY_SERVER:
        yield f"it ran on the servers of `{printable(str(group.get('title')), 60)}`: here it runs on this one"
    names = ("notify_success", "notify_fail")
    addresses = {str(event.get(name) or category.get(name) or "") for name in names} - {""}
    for each in sorted(addresses):
        yield f"it sent mail to `{printable(each, 100)}`: make a channel and a rule for that"
