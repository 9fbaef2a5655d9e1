"""Safe names and spans of time."""

import re

from hypothesis import given
from hypothesis import strategies as st

from tempo_site.lib import humanize
from tests.rows import each_row


@each_row(
    ("name", "safe"),
    [
        ("Hello World", "hello-world"),
        ("Data Backup Script!", "data-backup-script"),
        ("API Call #1", "api-call-1"),
        ("  spaces   everywhere  ", "spaces-everywhere"),
        ("snake_case.py", "snake-case-py"),
        ("Crème Brûlée", "creme-brulee"),
        ("Straße", "strasse"),
        ("a---b", "a-b"),
        ("-rf /", "rf"),
        ("../../etc/passwd", "etc-passwd"),
        ("tab\there\nand line", "tab-here-and-line"),
        ("nul\0byte", "nulbyte"),
        ("<script>alert(1)</script>", "scriptalert1-script"),
    ],
)
def test_a_display_name_becomes_a_safe_one(name: str, safe: str) -> None:
    assert humanize.safe_name(name) == safe


@each_row("name", ["", "   ", "...", "-", "!!!", "日本語", "\u202e"])
def test_nothing_is_left_of_a_name_without_latin_letters_or_digits(name: str) -> None:
    assert humanize.safe_name(name) == ""


def test_a_long_name_is_cut_and_does_not_end_in_a_hyphen() -> None:
    assert humanize.safe_name("x" * 300) == "x" * humanize.MAX_SLUG
    assert humanize.safe_name("x" * (humanize.MAX_SLUG - 1) + " tail") == "x" * (
        humanize.MAX_SLUG - 1
    )


@given(st.text())
def test_whatever_the_name_the_safe_one_is_safe(name: str) -> None:
    assert re.fullmatch(r"([a-z0-9]+(-[a-z0-9]+)*)?", humanize.safe_name(name))


@given(st.text())
def test_a_safe_name_is_its_own_safe_name(name: str) -> None:
    assert humanize.safe_name(humanize.safe_name(name)) == humanize.safe_name(name)


@each_row(
    ("seconds", "text"),
    [
        (0.0, "0.00 s"),
        (0.417, "0.42 s"),
        (9.99, "9.99 s"),
        (12, "12 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (11520, "3 h 12 min"),
        (3605, "1 h"),
        (86400, "1 d"),
        (187200, "2 d 4 h"),
    ],
)
def test_a_span_is_told_in_at_most_two_units(seconds: float, text: str) -> None:
    assert humanize.span(seconds) == text


@each_row(
    ("number", "unit", "text"),
    [
        (300, "seconds", "5 min"),
        (512, "MB", "512 MB"),
        (10_240, "MB", "10 GB"),
        (0, "MB", "0 MB"),
        (1, "days", "1 day"),
        (1000, "runs", "1,000 runs"),
        (20, "", "20"),
    ],
)
def test_an_amount_is_told_in_its_largest_unit(number: int, unit: str, text: str) -> None:
    assert humanize.amount(number, unit) == text
