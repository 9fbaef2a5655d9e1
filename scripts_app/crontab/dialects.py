"""Tells the time of a line from its command, as the daemon reads it that the line was written for.

Vixie's crons (Debian, cronie, bcron, systemd-cron, FreeBSD), busybox, anacron, Quartz, Jenkins, AWS and Go;
systemd's timers have a module of their own. Where daemons differ, a note says which reading was taken.
"""

import hashlib
import re
from dataclasses import dataclass, field

from scripts_app.crontab.durations import seconds_of

FIELDS = 5
# The bounds of minute, hour, day of month, month and day of week, for a value that is to be chosen.
_BOUNDS = ((0, 59), (0, 23), (1, 28), (1, 12), (0, 6))
_NAMES = "sun|mon|tue|wed|thu|fri|sat|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_PART = rf"(?:[0-9]+|{_NAMES})"
_FURTHER_FIELD = re.compile(
    rf"\*(?:/[0-9]+)?|\?|L|{_PART}(?:[-/,#]{_PART})*(?:/[0-9]+)?L?", re.IGNORECASE
)
_YEAR = re.compile(r"\*(?:/[0-9]+)?|(?:19|20)[0-9]{2}(?:[-,/][0-9]{1,4})*")
_BEGINNING = re.compile(r"[0-9*@~?H]")
_AWS = re.compile(r"(?P<kind>cron|rate|at)\((?P<inside>[^()]{1,100})\)\s*(?P<rest>.*)", re.DOTALL)
_RATE = re.compile(r"(?P<number>[0-9]{1,6})\s+(?P<unit>minute|hour|day)s?")
_YAML = re.compile(
    r"(?:-\s+)?(?P<key>cron|schedule)\s*:\s*[\"']?(?P<when>[^\"'#]{1,100})[\"']?\s*(?:#.*)?"
)
_ANACRON = re.compile(
    r"(?P<period>[0-9]{1,4}|@daily|@weekly|@monthly|@yearly|@annually)\s+(?P<delay>[0-9]{1,4})\s+"
    r"(?P<id>[A-Za-z][\w.-]*)\s+(?P<rest>\S.*)",
    re.DOTALL,
)
_EVERY = re.compile(
    r"@every\s+(?P<span>(?:[0-9]{1,9}[smhd])+)\s+(?P<rest>\S.*)", re.DOTALL | re.IGNORECASE
)
_FREEBSD = re.compile(
    r"@(?:(?P<number>[0-9]{1,9})|every_(?P<unit>minute|second))\s+(?P<rest>\S.*)", re.DOTALL
)
_JENKINS = re.compile(
    r"H(?:\((?P<low>[0-9]{1,2})-(?P<high>[0-9]{1,2})\))?(?:/(?P<step>[0-9]{1,2}))?"
)
_RANDOM = re.compile(r"(?P<low>[0-9]{0,2})~(?P<high>[0-9]{0,2})(?:/(?P<step>[0-9]{1,2}))?")
_FLAGS = re.compile(r"(?P<flags>(?:-[nqs]+\s+)+)(?P<rest>\S.*)", re.DOTALL)
_UNITS_S = {"minute": 60, "hour": 3600, "day": 86_400}
_HOUR = 3  # of anacron's jobs; its own default is 3 to 22
_NO_TIME = "no line of a crontab: it begins with no time"
_NO_COMMAND = "no line of a crontab: it has no command behind its time"


@dataclass(frozen=True, kw_only=True)
class Timed:
    """The time of a line in Tempo's own form, and what stands behind it."""

    rest: str = ""
    when: str = ""  # fields or an alias
    every_s: int | None = None
    at: str = ""  # ISO date and time
    zone: str = ""  # that the dialect prescribes
    skips_overlap: bool = False
    notes: list[str] = field(default_factory=list)
    problem: str = ""


def read_time(line: str) -> Timed:
    """Return the time of a line that starts something; with a `problem` no daemon would read the line."""
    for known in (_aws, _yaml, _anacron, _every, _other):
        timed = known(line)
        if timed is not None:
            return timed
    plain = line.removeprefix("-") if re.match(r"-[0-9*]", line) else line
    if plain != line:
        return _fields(plain, ["`-` before the time is left out: it kept cron's log short"])
    return _fields(plain, [])


def _fields(line: str, notes: list[str]) -> Timed:
    if not _BEGINNING.match(line):
        return Timed(problem=_NO_TIME)
    count = 1 if line.startswith("@") else FIELDS
    parts = re.split("[ \t]+", line, maxsplit=count)
    if len(parts) <= count:
        return Timed(problem=_NO_COMMAND)
    fields, rest = parts[:count], parts[count]
    if count == 1:
        return _with_flags(Timed(when=fields[0], rest=rest, notes=notes))
    fields, rest = _with_further_fields(fields, rest)
    if not rest:
        return Timed(problem=_NO_COMMAND)
    if not all(_is_field(each) for each in fields):
        return Timed(problem=_NO_TIME)
    fields = _in_tempos_form(fields, rest, notes)
    return _with_flags(Timed(when=" ".join(fields), rest=rest, notes=notes))


# The white list of the expression comes later; here only what no time can be.
def _is_field(text: str) -> bool:
    return bool(re.match(rf"[0-9*?~HL]|(?:{_NAMES})", text, re.IGNORECASE))


# A "command" that is another field means that the line has seconds before the minutes, or a year at its end.
def _with_further_fields(fields: list[str], rest: str) -> tuple[list[str], str]:
    for pattern in (_FURTHER_FIELD, _YEAR):
        word, _, behind = rest.partition(" ")
        if not pattern.fullmatch(word):
            break
        fields = [*fields, word]
        rest = behind.lstrip(" \t")
    return fields, rest


def _in_tempos_form(fields: list[str], command: str, notes: list[str]) -> list[str]:
    if len(fields) == FIELDS + 1 and re.fullmatch("(?:19|20)[0-9]{2}", fields[-1]):
        fields = ["0", *fields]
        notes.append("its sixth field is read as the year")
    elif len(fields) > FIELDS:
        notes.append(f"its {len(fields)} fields are read with the second first")
    is_quartz = len(fields) > FIELDS and "?" in fields
    days = 5 if len(fields) > FIELDS else 4
    if is_quartz:
        notes.append("it is read as Quartz's: the days of the week count from Sunday, 1")
        fields[days] = quartz_weekdays(fields[days])
    fields = ["*" if each == "?" else each for each in fields]
    _note_readings(fields[days - 4 : days + 1], notes)
    if len(fields) == FIELDS:
        return [_chosen(each, place, command, notes) for place, each in enumerate(fields)]
    return fields


def quartz_weekdays(text: str) -> str:
    """Return a field of Quartz or AWS, whose Sunday is 1, as cron writes it; `L` alone is Saturday."""
    terms = []
    for term in text.upper().split(","):
        if term == "L":
            terms.append("6")
            continue
        span, sign, behind = re.fullmatch(r"([^#/]*)([#/]?)(.*)", term, re.DOTALL).groups()  # type: ignore[union-attr]
        span = re.sub(r"[0-9]+", lambda number: str(max(int(number[0][:4]) - 1, 0)), span)
        terms.append(f"{span}{sign}{behind}")
    return ",".join(terms)


# What daemons read differently in five fields.
def _note_readings(fields: list[str], notes: list[str]) -> None:
    for text in fields:
        if re.fullmatch(r"[0-9]+/[0-9]+", text):
            notes.append(
                f"`{text}` begins at its number and goes on in steps; Debian's cron and cronie read the number alone"
            )
    day, weekday = fields[2], fields[4]
    is_limited = day not in ("*", "?") and weekday not in ("*", "?")
    if is_limited and (day.startswith("*") or weekday.startswith("*")):
        notes.append(
            "day and day of the week must both match, as in Debian's cron, cronie and bcron; "
            "busybox and others take either"
        )


# `H` of Jenkins and `~` of cronie: a number that the line itself chooses, always the same.
def _chosen(text: str, place: int, command: str, notes: list[str]) -> str:
    if "H" not in text and "~" not in text:
        return text
    terms = []
    for term in text.split(","):
        low, high = _BOUNDS[place]
        match = _JENKINS.fullmatch(term) or _RANDOM.fullmatch(term)
        if match is None:
            terms.append(term)
            continue
        low, high = int(match["low"] or low), int(match["high"] or high)
        step = int(match["step"] or 0)
        if high < low or (match["step"] and not step):
            terms.append(term)
            continue
        first = low + _number(command, place) % (min(step or 100, high - low + 1))
        terms.append(f"{first}-{high}/{step}" if step else str(first))
    chosen = ",".join(terms)
    whose = "Jenkins's `H`" if "H" in text else "cronie's `~`"
    notes.append(f"{whose}: `{text}` became `{chosen}`, which stays the same")
    return chosen


def _number(command: str, place: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{place} {command}".encode()).digest()[:8])


# OpenBSD's and cronie's flags before the command.
def _with_flags(timed: Timed) -> Timed:
    match = _FLAGS.fullmatch(timed.rest)
    if match is None:
        return timed
    notes = [*timed.notes, f"`{match['flags'].strip()}` is read as a flag of cronie and OpenBSD"]
    return Timed(
        when=timed.when, rest=match["rest"], skips_overlap="s" in match["flags"], notes=notes
    )


def _aws(line: str) -> Timed | None:
    match = _AWS.fullmatch(line)
    if match is None:
        return None
    if not match["rest"]:
        return Timed(problem=f"an expression of AWS, `{match['kind']}(...)`: {_ALONE}")
    notes = ["it is read as AWS's, by the clock of UTC"]
    inside = match["inside"].strip()
    rate = _RATE.fullmatch(inside)
    fields = inside.split()
    if match["kind"] == "rate" and rate:
        every_s = int(rate["number"]) * _UNITS_S[rate["unit"]]
        return Timed(every_s=every_s, rest=match["rest"], notes=notes, zone="UTC")
    if match["kind"] == "at":
        return Timed(at=inside, rest=match["rest"], notes=notes, zone="UTC")
    if match["kind"] == "cron" and len(fields) == 6:
        fields[4] = quartz_weekdays(fields[4])
        when = " ".join(["0", *("*" if each == "?" else each for each in fields)])
        return Timed(
            when=when.removesuffix(" *").removeprefix("0 ") if fields[5] == "*" else when,
            rest=match["rest"],
            notes=notes,
            zone="UTC",
        )
    return Timed(problem="an expression of AWS that cannot be read")


_ALONE = "it has a time and no command. Make a script and give it a schedule with this time, in UTC"


def _yaml(line: str) -> Timed | None:
    match = _YAML.fullmatch(line)
    if match is None:
        return None
    whose = "GitHub Actions" if match["key"] == "cron" else "Kubernetes"
    return Timed(problem=f"a line of {whose}, `{match['when'].strip()}`: {_ALONE}")


def _anacron(line: str) -> Timed | None:
    match = _ANACRON.fullmatch(line)
    if match is None or re.fullmatch(_NAMES, match["id"], re.IGNORECASE):
        return None
    period = match["period"]
    minute = min(int(match["delay"]), 59)
    notes = [
        f"it is read as anacron's job `{match['id'][:40]}`, at {_HOUR:02}:{minute:02}; "
        "a time that was missed is made up for"
    ]
    days = {
        "1": "* * *",
        "@daily": "* * *",
        "7": "* * 1",
        "@weekly": "* * 1",
        "30": "1 * *",
        "31": "1 * *",
    }
    days |= {"@monthly": "1 * *", "@yearly": "1 1 *", "@annually": "1 1 *", "365": "1 1 *"}
    if period in days:
        return Timed(when=f"{minute} {_HOUR} {days[period]}", rest=match["rest"], notes=notes)
    if not int(period.lstrip("@") or 0):
        return Timed(problem="a line of anacron with a period of no days")
    return Timed(
        every_s=int(period) * 86_400,
        rest=match["rest"],
        notes=[f"it is read as anacron's job, every {period} days"],
    )


def _every(line: str) -> Timed | None:
    match = _EVERY.fullmatch(line)
    if match is None:
        freebsd = _FREEBSD.fullmatch(line)
        if freebsd is None:
            return None
        every_s = int(freebsd["number"] or 0) or {"minute": 60, "second": 1}.get(
            freebsd["unit"] or "", 0
        )
        return Timed(
            every_s=every_s, rest=freebsd["rest"], notes=["it is read as FreeBSD's cron does"]
        )
    pieces = re.findall("[0-9]+[smhd]", match["span"].lower())
    every_s = sum(seconds_of(piece) or 0 for piece in pieces)
    return Timed(every_s=every_s, rest=match["rest"], notes=["`@every` is read as Go's crons do"])


def _other(line: str) -> Timed | None:
    if re.match(r"%[a-z0-9]|[&!][a-z0-9*(]", line):
        return Timed(problem="a line of fcron, whose times Tempo does not read: write five fields")
    if re.match(r"@\w+\s+(?:ID|AFTER|FREQ|WAIT)[=/]", line):
        return Timed(
            problem="a line of dcron with `ID`, `AFTER`, `FREQ` or `WAIT`, which Tempo does not read"
        )
    return None
