"""Secrets encrypted and decrypted by a program of its own, so that web keeps no library for it."""

import base64
import sys
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pytest_django import Settings

from tempo_site.lib import encryption

TEXT = "pässword 🎉\n'\""


@pytest.fixture
def without_library(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process that has not imported the library."""
    encryption._fernet_for.cache_clear()
    monkeypatch.delitem(sys.modules, encryption.LIBRARY)
    yield
    encryption._fernet_for.cache_clear()  # what it holds is of the library that goes again


def test_texts_come_back_and_no_library_stays(without_library: None) -> None:
    encrypted = encryption.encrypt(TEXT)
    found = encryption.decrypt_all([encrypted, "no token", encrypted])
    assert found == {encrypted: TEXT, "no token": None}
    assert encryption.LIBRARY not in sys.modules


def test_both_ways_are_one(without_library: None, settings: Settings) -> None:
    apart = encryption.encrypt(TEXT)
    assert encryption.decrypt(apart) == TEXT  # which imports the library
    assert encryption.LIBRARY in sys.modules
    settings.OLD_SECRET_KEY, settings.SECRET_KEY = settings.SECRET_KEY, "another" * 9
    assert encryption.decrypt_all([apart]) == {apart: TEXT}


def test_nothing_to_decrypt_begins_no_program(
    without_library: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encryption, "_PROGRAM", "/nonexistent")
    assert encryption.decrypt_all([]) == {}


def test_the_key_is_derived_as_the_standard_says() -> None:
    standard = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=encryption.PURPOSE)
    expected = base64.urlsafe_b64encode(standard.derive(b"a secret key"))
    assert encryption._derive("a secret key") == expected
