"""The script that a new Tempo has to try."""

import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.utils import timezone
from pytest_django import Settings

from scripts_app import scripts
from scripts_app.models import Script
from tempo_site.bootstrap import first_script
from tests.factories import NOW, make_script


@pytest.mark.django_db
def test_it_is_there_and_switched_off(staff: User) -> None:
    script = first_script.create(by=staff, now=NOW)
    assert script is not None and script.version is not None
    assert (script.slug, script.enabled, script.folder) == ("hello-tempo", False, None)
    assert (script.version.author, script.version.requirements) == (staff, "")


@pytest.mark.django_db
def test_it_is_made_once(staff: User) -> None:
    first_script.create(by=staff, now=NOW)
    assert first_script.create(by=staff, now=NOW) is None
    assert Script.objects.count() == 1


@pytest.mark.django_db
def test_it_does_not_come_back_when_it_was_deleted(staff: User) -> None:
    script = first_script.create(by=staff, now=NOW)
    assert script
    scripts.delete(script, now=NOW)
    assert first_script.create(by=staff, now=NOW) is None


@pytest.mark.django_db
def test_it_is_not_put_among_scripts_that_are_there(staff: User) -> None:
    make_script("Mine")
    assert first_script.create(by=staff, now=NOW) is None


@pytest.mark.django_db
def test_nobody_is_kept_out_when_it_cannot_be_made(
    staff: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_script, "CODE", "\0")
    assert first_script.create(by=staff, now=NOW) is None
    assert not Script.objects.exists()


def test_it_runs_and_remembers_how_often(tmp_path: Path) -> None:
    code = first_script.CODE.replace("time.sleep(0.5)", "pass")
    said = [
        subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert f"I work in the folder {tmp_path}" in said[0] and "[######] step 6 of 6" in said[0]
    assert "You have run me once." in said[0] and "You have run me 2 times." in said[1]


def test_a_database_that_is_busy_keeps_nobody_out(
    staff: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(**_: object) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(scripts, "create", busy)
    assert first_script.create(by=staff, now=timezone.now()) is None
