"""Settings that are edited on pages: typed, checked, below the environment, and read from memory."""

import pytest
from django.conf import LazySettings
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from scripts_app import limits
from tempo_site import checks
from tempo_site.lib import encryption, paths, zone
from tempo_site.models import Setting
from tempo_site.stored_settings import store
from tempo_site.stored_settings.fields import SettingRefused
from tempo_site.stored_settings.registry import FIELDS, SECTIONS
from tests.factories import make_script
from tests.rows import each_row

pytestmark = pytest.mark.django_db


def save(**changes: object) -> list[str]:
    return store.save(changes, by="ann")


def source(name: str) -> str:
    rows = [row for section in SECTIONS.values() for row in store.current(section)]
    return next(row.source for row in rows if row.field.name == name)


def test_a_setting_has_its_default_until_it_is_saved_and_again_when_it_is_taken_back() -> None:
    assert (store.value("SMTP_PORT"), source("SMTP_PORT")) == (587, "default")
    save(SMTP_PORT=2525)
    assert (store.value("SMTP_PORT"), source("SMTP_PORT")) == (2525, "stored")
    save(SMTP_PORT=None)
    assert (store.value("SMTP_PORT"), source("SMTP_PORT")) == (587, "default")


def test_the_environment_wins_and_is_not_overwritten(settings: LazySettings) -> None:
    save(SMTP_PORT=2525)
    settings.GIVEN_BY_ENVIRONMENT = {"SMTP_PORT"}
    settings.SMTP_PORT = 25
    assert (store.value("SMTP_PORT"), source("SMTP_PORT")) == (25, "environment")
    with pytest.raises(SettingRefused, match="set by the environment, as `SMTP_PORT`"):
        save(SMTP_PORT=26)


def test_who_saved_it_is_kept() -> None:
    save(SMTP_SERVER="mail.example.org")
    row = Setting.objects.get()
    assert (row.name, row.value, row.updated_by) == ("SMTP_SERVER", "mail.example.org", "ann")
    assert abs((timezone.now() - row.updated_at).total_seconds()) < 60


def test_only_changes_are_named_and_stored() -> None:
    assert save(SMTP_SERVER="a.example.org", SMTP_PORT=25) == ["SMTP_SERVER", "SMTP_PORT"]
    assert save(SMTP_SERVER="a.example.org", SMTP_PORT=26) == ["SMTP_PORT"]


def test_a_secret_is_stored_encrypted_and_shown_nowhere() -> None:
    save(SMTP_PASSWORD="hush hush")
    assert "hush" not in str(Setting.objects.get().value)
    assert store.value("SMTP_PASSWORD") == "hush hush"
    rows = store.current(SECTIONS["mail"])
    assert "hush" not in repr(rows)
    assert [row.is_set for row in rows if row.field.name == "SMTP_PASSWORD"] == [True]


@pytest.mark.parametrize("nothing", ["", None])
def test_an_empty_secret_is_none(nothing: str | None) -> None:
    save(SMTP_PASSWORD="hush")
    save(SMTP_PASSWORD=nothing)
    assert not Setting.objects.exists()


def test_a_secret_of_another_key_is_not_taken_for_empty(settings: LazySettings) -> None:
    save(SMTP_PASSWORD="hush")
    settings.SECRET_KEY = "another key that is long enough, too"
    with pytest.raises(encryption.DecryptionError):
        store.value("SMTP_PASSWORD")


@each_row(
    ("name", "value", "words"),
    [
        ("SMTP_PORT", 0, "1 to 65535"),
        ("SMTP_PORT", "25", "whole number"),
        ("SMTP_PORT", True, "whole number"),
        ("SMTP_SERVER", 1, "text"),
        ("SMTP_SERVER", "a\r\nb", "control character"),
        ("SMTP_SERVER", "x" * 501, "501 characters"),
        ("SMTP_USERNAME", "a\ud800", "control character"),
        ("FROM_EMAIL", "nobody", "no address"),
        ("FROM_EMAIL", "Tempo <a@example.org>\nBcc: b@example.org", "control character"),
        ("SMTP_SECURITY", "tls", "known are `auto`"),
        ("PYSCHED_NOTIFY_PRIVATE", "yes", "true or false"),
        ("PYSCHED_PUBLIC_URL", "https://tempo.example.org", "read when Tempo starts"),
        ("NO_SUCH", "1", "no setting"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_else_is_saved(
    name: str, value: object, words: str
) -> None:
    with pytest.raises(SettingRefused, match=words) as refusal:
        save(**{"SMTP_USERNAME": "ann", name: value})
    assert refusal.value.name == name
    assert not Setting.objects.exists()


def test_a_sender_may_bear_an_emoji_of_several_characters() -> None:
    sender = "Tempo 👩\u200d💻 <tempo@example.org>"
    save(FROM_EMAIL=sender)
    assert store.value("FROM_EMAIL") == sender


def test_a_value_is_read_once_and_again_when_it_was_changed_here_or_elsewhere(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    store.memory.forget()
    with django_assert_num_queries(1):
        assert {store.value("SMTP_SERVER"), store.value("SMTP_USERNAME")} == {""}
    save(SMTP_SERVER="a.example.org")
    assert store.value("SMTP_SERVER") == "a.example.org"
    Setting.objects.update(value="b.example.org")  # as another process does
    assert store.value("SMTP_SERVER") == "a.example.org"
    store.look_again(now=timezone.now())
    assert store.value("SMTP_SERVER") == "b.example.org"


def test_limits_hold_at_once_and_never_above_what_the_bound_says() -> None:
    script = make_script(memory_mb=900)
    save(PYSCHED_DEFAULT_MEMORY_LIMIT=256, PYSCHED_MAX_MEMORY_LIMIT=600)
    assert limits.default_limits()["memory_mb"] == 256
    assert limits.limits_of_script(script)["memory_mb"] == 600
    save(PYSCHED_MAX_MEMORY_LIMIT=None)
    assert limits.limits_of_script(script)["memory_mb"] == 900


def test_the_zone_is_kept_in_its_file_and_holds_at_once(settings: LazySettings) -> None:
    settings.TIME_ZONE = "UTC"
    try:
        assert save(PYSCHED_TIME_ZONE="Asia/Kathmandu") == ["PYSCHED_TIME_ZONE"]
        assert store.value("PYSCHED_TIME_ZONE") == "Asia/Kathmandu"
        assert zone.file_in(paths.data()).read_text() == "Asia/Kathmandu\n"
        assert not Setting.objects.exists()
        assert save(PYSCHED_TIME_ZONE="Asia/Kathmandu") == []
        with pytest.raises(SettingRefused, match="no time zone of this machine"):
            save(PYSCHED_TIME_ZONE="Mars/Olympus")
    finally:
        zone.apply("UTC")


def test_an_impossible_value_of_the_environment_is_named_at_the_start(
    settings: LazySettings,
) -> None:
    settings.GIVEN_BY_ENVIRONMENT = set(FIELDS)
    assert checks.stored_settings() == []
    settings.SMTP_SECURITY = "tls"
    (found,) = checks.stored_settings()
    assert (found.id, "SMTP_SECURITY" in found.msg) == ("tempo.E009", True)
    assert found.hint and "`starttls`" in found.hint
