"""API keys, of which only a hash is stored, the settings that people edit on pages, and the audit."""

import hashlib
from datetime import datetime
from typing import Self

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils import timezone

from tempo_site.accounts import tokens
from tempo_site.lib.sqlite.prepared import Given, PreparedQuery
from tempo_site.lib.sqlite.quick_model import QuickModel

PREFIX_LENGTH = 8


def digest(token: str) -> str:
    """Return the stored form of a token. Tokens carry 178 random bits, so a plain SHA-256 cannot be searched."""
    return hashlib.sha256(token.encode()).hexdigest()


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def by_token(self, token: str) -> "ApiKey | None":
        """Return the key that a token opens now: not one that has expired, and none whose overlap is over."""
        shown = digest(token)
        key = _BY_DIGEST.first(digest=shown)
        if key is None or not key.is_opened_by(shown, now=timezone.now()):
            return None
        return key


class ApiKey(QuickModel):
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
    expires_at = models.DateTimeField(null=True, blank=True)
    # A key that is limited sees these scripts, and those in these folders, and nothing else: also when none is left.
    is_limited = models.BooleanField(default=False, editable=False)
    script_ids = models.JSONField(default=list, editable=False)
    folder_ids = models.JSONField(default=list, editable=False)
    # The token of before a rotation, which opens the key for a while.
    old_digest = models.CharField(max_length=64, blank=True, db_index=True, editable=False)
    old_until = models.DateTimeField(null=True, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)
    last_used_from = models.CharField(max_length=45, blank=True, editable=False)
    known_addresses = models.JSONField(default=list, editable=False)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def has_expired(self, *, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now

    def is_opened_by(self, shown: str, *, now: datetime) -> bool:
        """Whether the token with this digest opens the key now."""
        if self.has_expired(now=now):
            return False
        if shown == self.digest:
            return True
        return self.old_until is not None and now < self.old_until

    @classmethod
    def issue(
        cls, *, name: str, scope: str = Scope.FULL, token: str = "", **fields: object
    ) -> tuple[Self, str]:
        """Store a new key and return the key with its token, which is shown once and never again."""
        token = token or tokens.make_token()
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


_BY_DIGEST = PreparedQuery(
    lambda: ApiKey.objects.filter(Q(digest=Given("digest")) | Q(old_digest=Given("digest")))
)


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


class AuditEntry(models.Model):
    """One act: who did what to what, from where and when. `changes` has values of before and after, never a secret."""

    class Actor(models.TextChoices):
        USER = "user"
        KEY = "key"
        TRIGGER = "trigger"
        COMMAND = "command"
        STRANGER = "stranger"
        SYSTEM = "system"

    at = models.DateTimeField()
    actor = models.CharField(max_length=8, choices=Actor)
    name = models.CharField(max_length=150, blank=True, help_text="Of the user, key or command.")
    address = models.CharField(max_length=45, blank=True)
    verb = models.CharField(max_length=40)
    kind = models.CharField(max_length=40, help_text="What was acted on: `script`, `key`.")
    object_id = models.CharField(max_length=100, blank=True)
    object_name = models.CharField(max_length=200, blank=True)
    changes = models.JSONField(default=dict, encoder=DjangoJSONEncoder)

    class Meta:
        ordering = ["-pk"]
        verbose_name = "audit entry"
        verbose_name_plural = "audit entries"
        # Retention deletes the oldest; the filters of the page read the newest backwards, by the primary key.
        # The history of a row in the admin is found by its id.
        indexes = [
            models.Index(fields=["at"], name="audit_at"),
            models.Index(fields=["object_id", "kind"], name="audit_of_row"),
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.kind} {self.object_name}".rstrip()
