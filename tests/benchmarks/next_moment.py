"""What the worst cron expressions cost: to find their next moment with nothing in memory, and to be refused."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from statistics import median
from zoneinfo import ZoneInfo

from scripts_app.timing import cron_expression, rule, wall_clock
from scripts_app.timing.rule import Timing, TimingError
from tests.benchmarks.figures import Figure

ROUNDS = 21
SOON = datetime(2026, 3, 1, tzinfo=UTC)
# behind a 29 February on a Sunday; 2100 has none, so the next is 40 years off
SPARSE = datetime(2088, 3, 1, tzinfo=UTC)
EVERY = ",".join(map(str, range(60)))
LONG = f"{EVERY} {EVERY[:79]} {','.join(map(str, range(24)))}"  # as long as one may be
HARD = (
    ("0 0 29 2 1", "Europe/Berlin", SOON),
    ("0 0 29 2 */7", "Antarctica/Troll", SPARSE),
    ("0 0 29 2 */7", "Africa/Casablanca", SPARSE),
    # The fifth Sunday of a March begins summer time, whose gap takes the hour away: seventeen of them come first.
    ("* 2 * 2,3 0#5", "Europe/Berlin", SPARSE),
    (f"{EVERY} * 2 * 2,3 SUN#5", "Europe/Berlin", SPARSE),
    (f"{LONG} L 2 *", "Africa/Casablanca", SOON),
    (f"{LONG} 29 2 */7", "Africa/Casablanca", SPARSE),
    (f"{EVERY} 30 2 * 2,3 7#5", "Australia/Lord_Howe", SPARSE),
    (f"{EVERY} 0 0 * 2 0#5", "America/Havana", SPARSE),
)
REFUSED = (
    "1," * 80_000,
    "* " * 80_000,
    "9" * 5000 + " * * * *",
    f"0 0 {'1' * 5000}-{'9' * 5000} * *",
    "* 2 25-31 3 */7",  # in Berlin: a hundred years of hours that summer time takes away
    "0 0 30 2 *",
)


def measure() -> Iterator[Figure]:
    """Both, the worst of each."""
    plain_ms = cold_ms(find, "* * * * *", "UTC", SOON)
    found = {
        f"{text[:40]} in {zone}": cold_ms(find, text, zone, moment) for text, zone, moment in HARD
    }
    refused = {text[:40]: cold_ms(refuse, text) for text in REFUSED}
    yield worst(
        "next moment of the worst valid cron expression, nothing cached", found, plain_ms, bar=5
    )
    yield worst(
        "refusal of an expression of 160 kB, of 5,000 digits, or that never happens",
        refused,
        plain_ms,
        bar=200,
    )


def cold_ms(act: Callable[..., None], *arguments: object) -> float:
    """The median time of an act, each time with nothing in memory of expressions and zones."""
    samples = []
    for _ in range(ROUNDS):
        cron_expression.parse.cache_clear()
        wall_clock._day_mask.cache_clear()
        rule.zone_of.cache_clear()
        ZoneInfo.clear_cache()
        began = time.perf_counter()
        act(*arguments)
        samples.append((time.perf_counter() - began) * 1000)
    return median(samples)


def find(text: str, zone: str, moment: datetime) -> None:
    """The next moment of an expression, jitter included: that asks more than once."""
    due = rule.next_after(
        Timing(kind="cron", cron=text, timezone=zone, jitter_s=3600, seed="script"), moment
    )
    assert due is not None, f"{text} is no valid expression"


def refuse(text: str) -> None:
    """What a save does with an expression that it cannot accept."""
    try:
        rule.check(Timing(kind="cron", cron=text, timezone="Europe/Berlin"))
    except TimingError:
        return
    raise AssertionError(f"{text[:40]} was not refused")


def worst(title: str, found: dict[str, float], plain_ms: float, *, bar: float) -> Figure:
    """The slowest of some expressions, beside the next moment of the plainest one."""
    slowest = max(found, key=lambda name: found[name])
    return Figure(
        benchmark="schedules",
        figure=title,
        value=found[slowest],
        unit="ms",
        baseline="next moment of `* * * * *` in UTC",
        baseline_value=plain_ms,
        bar=bar,
        bar_on="value",
        n=len(found),
        details={"expression": slowest},
    )
