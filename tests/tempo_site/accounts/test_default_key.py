"""The key of `PYSCHED_DEFAULT_API_KEY`."""

import pytest
from django.conf import LazySettings

from tempo_site.accounts import default_key
from tempo_site.models import ApiKey, digest

LONG = "0123456789abcdefghijklmnopqrstuvwxyz"

pytestmark = pytest.mark.django_db


def test_it_stores_the_default_key_once(settings: LazySettings) -> None:
    settings.DEFAULT_API_KEY = LONG
    assert default_key.ensure() == default_key.ensure() == ""
    key = ApiKey.objects.get()
    assert (key.name, key.scope, key.digest) == ("default", "full", digest(LONG))


def test_it_replaces_the_default_key_when_it_was_changed(settings: LazySettings) -> None:
    other, _ = ApiKey.issue(name="other")
    for token in (LONG, LONG[::-1]):
        settings.DEFAULT_API_KEY = token
        default_key.ensure()
    assert set(ApiKey.objects.values_list("digest", flat=True)) == {
        other.digest,
        digest(LONG[::-1]),
    }


@pytest.mark.parametrize("token", ["your-api-key", "change-me", "short", "a" * 64])
def test_it_ignores_a_weak_default_key_and_says_so(settings: LazySettings, token: str) -> None:
    settings.DEFAULT_API_KEY = token
    assert "hint:" in default_key.ensure()
    assert not ApiKey.objects.exists()


def test_it_says_nothing_without_a_default_key() -> None:
    assert default_key.ensure() == ""
    assert not ApiKey.objects.exists()
