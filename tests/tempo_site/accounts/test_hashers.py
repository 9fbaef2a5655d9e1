"""Passwords hashed by a program of its own, so that web keeps no OpenSSL for it."""

import hashlib

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher

from tempo_site.accounts.hashers import PasswordHasher

ROUNDS = 1_000


@pytest.mark.parametrize("password", ["correct horse", "pässword 🎉\n'\"", "x" * 4096])
def test_it_stores_what_django_stores(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    expected = PBKDF2PasswordHasher().encode(password, "salt", ROUNDS)
    monkeypatch.delattr(hashlib, "pbkdf2_hmac")
    hasher = PasswordHasher()
    assert hasher.encode(password, "salt", ROUNDS) == expected
    assert hasher.verify(password, expected)
    assert not hasher.verify(f"{password}!", expected)
