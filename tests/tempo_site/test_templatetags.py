"""What templates write: sentences with code in them, moments that no zone can hold."""

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.safestring import mark_safe

from runs_app.figures.tally import Hour
from tempo_site.pages.week import Day, Week
from tempo_site.templatetags.charts import CELL, SIDE, heat
from tempo_site.templatetags.tempo import (
    away,
    breakable,
    inline_code,
    moment,
    moment_away,
    time_of_day,
    until,
)
from tests.rows import each_row

LAST = datetime(9999, 12, 31, 23, 30, tzinfo=UTC)


def test_a_path_may_break_behind_each_slash_and_stays_text() -> None:
    assert breakable("/api/<slug>") == "/<wbr>api/<wbr>&lt;slug&gt;"


@each_row(
    ("sentence", "shown"),
    [
        ("no version of `reqests`", "no version of <code>reqests</code>"),
        ("`<b>` and `a & b`", "<code>&lt;b&gt;</code> and <code>a &amp; b</code>"),
        ("<script>", "&lt;script&gt;"),
        ("one ` alone", "one ` alone"),
        ("`two\nlines`", "`two\nlines`"),
        ("", ""),
        (mark_safe("<i>`x`</i>"), "<i>`x`</i>"),
    ],
)
def test_words_in_backticks_are_shown_as_code_and_all_text_as_text(
    sentence: str, shown: str
) -> None:
    assert inline_code(sentence).replace("&#x60;", "`") == shown


def test_a_moment_at_the_end_of_the_calendar_is_written_in_the_zone_it_has() -> None:
    with timezone.override(ZoneInfo("Asia/Tokyo")):
        assert "9999-12-31 23:30:00 UTC" in moment(LAST)
    assert "9999-12-31" in moment(LAST, "No/Such_Zone")


def test_times_are_iso_in_the_server_s_zone_with_utc_behind_them() -> None:
    at = datetime(2026, 11, 24, 7, 5, 9, tzinfo=UTC)
    with timezone.override(ZoneInfo("Asia/Tokyo")):
        assert 'title="2026-11-24 07:05:09 UTC">2026-11-24 16:05:09 JST<' in moment(at)
        both = 'title="2026-11-24 16:05:09 JST, 2026-11-24 07:05:09 UTC"'
        assert both in moment_away(at, at) and both in time_of_day(at)
    assert 'title="2026-11-24 07:05:09 UTC"' in moment_away(at, at)


def test_what_has_passed_or_is_not_there_is_no_time_away() -> None:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    assert (until(None, now), until(now, now), until(LAST, LAST)) == (0, 0, 0)


@each_row(
    ("seconds", "words"),
    [(-3, "3 s ago"), (-125, "2 min 5 s ago"), (-7200, "2 h ago"), (90, "in 1 min 30 s")],
)
def test_how_long_ago_is_told_to_the_page_so_that_it_ticks(seconds: int, words: str) -> None:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    for shown in (away, moment_away):
        element = shown(now + timedelta(seconds=seconds), now)
        assert f'data-away-s="{seconds}.000">{words}</' in element
    assert away(None, now) == ""


# --- the heat map -----------------------------------------------------------------------------------------------------
def red_share(ended: int, bad: int) -> float:
    """How much of an hour's height is red."""
    day = Day(on=date(2026, 11, 24))
    day.hours[7] = Hour(ended=ended, bad=bad)
    picture = heat(Week(days=[day], succeeded=ended - bad, bad=bad))
    assert f"07:00: {ended} ended" in picture
    found = re.search(rf'class="is-bad" d="M{7 * CELL} {SIDE}v-(\d+)h', picture)
    return int(found[1]) / SIDE if found else 0


@each_row(("ended", "bad"), [(60, 1), (60, 15), (60, 30), (60, 45), (60, 60), (1, 1)])
def test_an_hour_is_red_as_far_as_its_runs_ended_badly(ended: int, bad: int) -> None:
    assert abs(red_share(ended, bad) - bad / ended) <= 2 / SIDE


def test_a_single_failure_is_seen_and_none_is_not() -> None:
    assert 0 < red_share(1000, 1) < 0.3
    assert red_share(1000, 0) == 0
