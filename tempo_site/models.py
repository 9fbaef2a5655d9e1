"""API keys, of which only a hash is stored, and the settings that people edit on pages."""

import hashlib
import secrets
from typing import Self

from django.conf import settings
from django.db import models

from tempo_site.lib.sqlite.prepared import Given, PreparedQuery

PREFIX_LENGTH = 8


def digest(token: str) -> str:
    """Return the stored form of a token. Tokens carry 256 random bits, so a plain SHA-256 cannot be searched."""
    return hashlib.sha256(token.encode()).hexdigest()


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def by_token(self, token: str) -> "ApiKey | None":
        return _BY_DIGEST.first(digest=digest(token))


class ApiKey(models.Model):
    class Scope(models.TextChoices):
        FULL = "full"
        RUN = "run"
        READ = "read"

    name = models.CharField(max_length=100)
    scope = models.CharField(max_length=4, choices=Scope, default=Scope.FULL)
    prefix = models.CharField(max_length=PREFIX_LENGTH + 6, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, editable=False
    )
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, editable=False)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @classmethod
    def issue(
        cls, *, name: str, scope: str = Scope.FULL, token: str = "", **fields: object
    ) -> tuple[Self, str]:
        """Store a new key and return the key with its token, which is shown once and never again."""
        token = token or f"tempo_{secrets.token_urlsafe(32)}"
        key = cls(
            name=name,
            scope=scope,
            prefix=token[: PREFIX_LENGTH + 6],
            digest=digest(token),
            **fields,
        )
        key.full_clean()
        key.save()
        return key, token


_BY_DIGEST = PreparedQuery(lambda: ApiKey.objects.filter(digest=Given("digest")))


class Setting(models.Model):
    """A value that was saved on a page, or by the API; a secret is stored encrypted only."""

    name = models.CharField(max_length=60, unique=True)
    value = models.JSONField()
    updated_at = models.DateTimeField(auto_now=True)
    updated_by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
