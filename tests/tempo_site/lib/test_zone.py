"""The server's time zone: where it comes from, and that a choice holds at once and over restarts."""

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from tempo_site import checks
from tempo_site.lib import paths, zone
from tests.factories import NOW
from tests.rows import each_row
from tests.tempo_site.test_settings import checked, told


@pytest.fixture
def own_zone(settings: Settings) -> Iterator[None]:
    """A zone is the process's: put it back."""
    before = settings.TIME_ZONE
    yield
    zone.apply(before)


def test_the_operators_variable_wins(tmp_path: Path) -> None:
    (tmp_path / "time_zone").write_text("Asia/Tokyo")
    assert told(tmp_path, PYSCHED_TIME_ZONE="Europe/Berlin")["TIME_ZONE"] == "Europe/Berlin"


def test_without_the_variable_the_chosen_zone_holds_from_the_next_start_on(tmp_path: Path) -> None:
    (tmp_path / "time_zone").write_text("Asia/Tokyo\n")
    values = told(tmp_path)
    assert (values["TIME_ZONE"], values["TIME_ZONE_NOTICE"]) == ("Asia/Tokyo", "")


def test_without_either_it_is_utc_without_a_word(tmp_path: Path) -> None:
    assert zone.choose("", tmp_path) == ("UTC", "")


@pytest.mark.parametrize(
    "content", [b"Mars/Base", b"", b"\xff\xfe", b"../../etc/passwd", b"x" * 10_000, b"Europe"]
)
def test_a_stored_zone_that_is_of_no_use_means_utc_and_a_sentence(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "time_zone").write_bytes(content)
    name, notice = zone.choose("", tmp_path)
    assert name == "UTC"
    assert str(tmp_path / "time_zone") in notice and "hint: " in notice and len(notice) < 500


def test_a_folder_in_its_place_does_not_end_the_start(tmp_path: Path) -> None:
    (tmp_path / "time_zone").mkdir()
    done = checked(tmp_path)
    assert done.returncode == 0
    assert "tempo.W002" in done.stderr and "Traceback" not in done.stderr


def test_no_sentence_is_no_warning(settings: Settings) -> None:
    settings.TIME_ZONE_NOTICE = ""
    assert checks.notices() == []


@pytest.mark.usefixtures("own_zone")
def test_a_choice_holds_at_once_for_pages_logs_and_scripts() -> None:
    timezone.get_default_timezone()  # remembered by Django
    zone.store("Asia/Tokyo")
    assert timezone.localtime(NOW).hour == 21
    assert time.localtime(NOW.timestamp()).tm_hour == 21
    assert os.environ["TZ"] == "Asia/Tokyo"


@pytest.mark.usefixtures("own_zone")
def test_a_choice_is_kept_for_the_next_start_and_for_its_owner_alone() -> None:
    zone.store("Asia/Tokyo")
    assert zone.choose("", paths.data()) == ("Asia/Tokyo", "")
    assert stat.S_IMODE(zone.file_in(paths.data()).stat().st_mode) == 0o600


@each_row("name", ["", "Mars/Base", "europe", "Europe", "/etc/localtime", "a\0b", "x" * 10_000])
def test_what_is_no_zone_is_not_known(name: str) -> None:
    assert not zone.is_known(name)


def test_every_zone_that_is_offered_is_known() -> None:
    assert len(zone.names()) > 300
    assert all(zone.is_known(name) for name in zone.names())
