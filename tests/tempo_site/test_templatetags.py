"""What templates write: sentences with code in them, moments that no zone can hold."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from django.utils.safestring import mark_safe

from tempo_site.templatetags.tempo import inline_code, moment, until

LAST = datetime(9999, 12, 31, 23, 30, tzinfo=UTC)


@pytest.mark.parametrize(
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


def test_what_has_passed_or_is_not_there_is_no_time_away() -> None:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    assert (until(None, now), until(now, now), until(LAST, LAST)) == (0, 0, 0)
