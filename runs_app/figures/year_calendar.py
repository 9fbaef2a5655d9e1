"""A calendar of twelve months: a square for each day, a column for each week."""

from dataclasses import dataclass
from datetime import date, timedelta

from runs_app.figures.reading import Days
from runs_app.figures.tally import Tally

WEEKS = 53
PITCH = 12
SIDE = 10
CORNER = 4  # cut from a day with a bad run, so that it is told by more than its colour
LEVELS = 3


@dataclass(frozen=True, kw_only=True)
class Square:
    kind: str
    path: str
    title: str


@dataclass(frozen=True, kw_only=True)
class MonthRow:
    """A month of the table beside the calendar."""

    first: date
    total: Tally


@dataclass(frozen=True, kw_only=True)
class YearCalendar:
    """`empty` is the path of all days without a run; `names` are the months with the column where each begins."""

    squares: list[Square]
    empty: str
    names: list[tuple[int, str]]
    months: list[MonthRow]
    label: str
    width: int = WEEKS * PITCH
    height: int = 7 * PITCH


def year_calendar(days: Days, *, today: date) -> YearCalendar:
    first = today - timedelta(days=today.weekday(), weeks=WEEKS - 1)
    most = max((tally.runs for tally in days.values()), default=1)
    squares, empty = [], ""
    for number in range((today - first).days + 1):
        day = first + timedelta(days=number)
        x, y = number // 7 * PITCH, number % 7 * PITCH
        tally = days.get(day)
        if tally is None or not tally.runs:
            empty += f"M{x} {y}h{SIDE}v{SIDE}h-{SIDE}z"
        else:
            squares.append(_square(day, tally, x, y, most))
    months = _months(days, first)
    runs, bad = sum(row.total.runs for row in months), sum(row.total.bad for row in months)
    return YearCalendar(
        squares=squares,
        empty=empty,
        names=_names(first, today),
        months=months,
        label=f"Days of the last twelve months: {runs:,} runs, {bad:,} of them ended badly",
    )


def _square(day: date, tally: Tally, x: int, y: int, most: int) -> Square:
    title = f"{day}: {tally.runs:,} run{'s' if tally.runs > 1 else ''}, {tally.bad:,} bad"
    if tally.bad:
        rest = SIDE - CORNER
        path = f"M{x + CORNER} {y}h{rest}v{SIDE}h-{SIDE}v-{rest}z"
        return Square(kind="is-bad", path=path, title=title)
    level = min(LEVELS, 1 + tally.runs * LEVELS // (most + 1))
    return Square(kind=f"is-{level}", path=f"M{x} {y}h{SIDE}v{SIDE}h-{SIDE}z", title=title)


def _names(first: date, today: date) -> list[tuple[int, str]]:
    names = []
    for week in range(WEEKS):
        monday = first + timedelta(weeks=week)
        if monday.day <= 7 and monday <= today:
            names.append((week * PITCH, f"{monday:%b}"))
    return names


def _months(days: Days, first: date) -> list[MonthRow]:
    months: dict[date, Tally] = {}
    for day, tally in days.items():
        if day >= first:
            months.setdefault(day.replace(day=1), Tally()).add(tally)
    newest_first = sorted(months.items(), reverse=True)
    return [MonthRow(first=month, total=total) for month, total in newest_first]
