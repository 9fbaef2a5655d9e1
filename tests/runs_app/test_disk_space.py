"""The floor of free space: the larger of two numbers, and never absurd on a large disk."""

import pytest
from pytest_django import Settings

from runs_app.disk_space import Space

GB = 1024


@pytest.mark.parametrize(
    ("total_mb", "floor_mb"),
    [(1 * GB, 500), (100 * GB, 5 * GB), (200 * GB, 10 * GB), (4000 * GB, 10 * GB)],
    ids=["at least 500 MB", "5 %", "10 GB", "no more than 10 GB"],
)
def test_the_floor_of_a_disk(settings: Settings, total_mb: int, floor_mb: int) -> None:
    settings.MIN_FREE_MB, settings.MIN_FREE_PERCENT = 500, 5
    assert Space(free_mb=0, total_mb=total_mb).floor_mb == floor_mb


def test_more_megabytes_than_ten_thousand_can_be_asked_for(settings: Settings) -> None:
    settings.MIN_FREE_MB = 20_000
    assert Space(free_mb=0, total_mb=4000 * GB).floor_mb == 20_000


def test_a_disk_is_low_below_the_floor_and_not_at_it(settings: Settings) -> None:
    settings.MIN_FREE_MB = 500
    assert Space(free_mb=499, total_mb=1000).is_low
    assert not Space(free_mb=500, total_mb=1000).is_low


def test_both_at_zero_turn_it_off(settings: Settings) -> None:
    settings.MIN_FREE_MB = settings.MIN_FREE_PERCENT = 0
    assert not Space(free_mb=0, total_mb=1000).is_low
