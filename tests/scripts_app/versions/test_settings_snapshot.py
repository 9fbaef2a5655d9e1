"""What a version remembers of its script's settings."""

import pytest
from django.test import Client

from scripts_app import scripts
from scripts_app.models import Script
from scripts_app.versions import settings_snapshot
from scripts_app.versions.settings_snapshot import SettingDifference
from tests.factories import NOW, make_script

pytestmark = pytest.mark.django_db


@pytest.fixture
def script() -> Script:
    return make_script("Hello", code="print(1)\n", memory_mb=256)


def test_a_version_remembers_the_settings_and_their_hash(script: Script) -> None:
    version = script.versions.get()
    assert version.settings["memory_mb"] == 256
    assert version.settings_hash == settings_snapshot.digest(settings_snapshot.snapshot_of(script))


def test_the_admin_shows_them_in_words(script: Script, admin_client: Client) -> None:
    version = script.versions.get()
    page = admin_client.get(f"/admin/scripts_app/version/{version.pk}/change/").content.decode()
    assert "Memory: 256 MB<br>" in page and "One run at a time: off" in page


def test_other_settings_have_another_hash_and_the_same_ones_the_same(script: Script) -> None:
    scripts.update(script, by=None, now=NOW, code="2")
    scripts.update(script, by=None, now=NOW, code="3", memory_mb=512)
    first, second, third = script.versions.order_by("number").values_list(
        "settings_hash", flat=True
    )
    assert first == second != third


def test_the_difference_is_told_in_words() -> None:
    before = {
        "timeout_s": 0,
        "memory_mb": 256,
        "nice": 5,
        "as_service_user": False,
        "parameters": [],
    }
    after = {
        "timeout_s": 60,
        "memory_mb": 1024,
        "nice": 5,
        "as_service_user": True,
        "allow_source": True,
    }
    assert settings_snapshot.differences(before, after) == [
        SettingDifference(name="Time", before="no limit", after="60 seconds"),
        SettingDifference(name="Memory", before="256 MB", after="1,024 MB"),
        SettingDifference(name="Run as Tempo's own user", before="off", after="on"),
    ]
