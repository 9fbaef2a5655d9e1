"""The tables of URL triggers: one trigger a script, its keys, its last calls, and the answers that may be replayed."""

from datetime import datetime

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from scripts_app.models import Script

DEFAULT_HEADERS = """\
Content-Type
User-Agent
X-GitHub-Event
X-GitHub-Delivery
X-Gitea-Event
X-Gitlab-Event
webhook-id
"""


class UrlTrigger(models.Model):
    """How a script is started from outside; without a row it is not."""

    class Scheme(models.TextChoices):
        NONE = "", "No signature"
        GITHUB = "github", "GitHub, Gitea, Forgejo (X-Hub-Signature-256)"
        GITLAB = "gitlab", "GitLab (X-Gitlab-Token)"
        STRIPE = "stripe", "Stripe (Stripe-Signature)"
        SLACK = "slack", "Slack (X-Slack-Signature)"
        STANDARD = "standard", "Standard Webhooks (webhook-signature)"

    script = models.OneToOneField(Script, models.CASCADE, related_name="url_trigger")
    enabled = models.BooleanField(default=False)
    allow_get = models.BooleanField(default=False, help_text="GET starts a run, as POST does.")
    allow_query_key = models.BooleanField(
        default=False, help_text="The key may stand in the address, as `?key=`."
    )
    scheme = models.CharField(max_length=10, choices=Scheme, blank=True, default=Scheme.NONE)
    secret = models.TextField(blank=True, editable=False, help_text="What Fernet made of it.")
    older_secret = models.TextField(
        blank=True, editable=False, help_text="The one of before, while both are good."
    )
    tolerance_s = models.PositiveIntegerField(
        default=300,
        validators=[MinValueValidator(1), MaxValueValidator(3600)],
        help_text="Seconds that a signed time may be away from the clock here.",
    )
    headers = models.TextField(
        blank=True, default=DEFAULT_HEADERS, help_text="Headers that a script is given, one a line."
    )
    rules = models.TextField(
        blank=True, help_text="All have to hold, one a line: `ref == refs/heads/main`."
    )
    started = models.PositiveBigIntegerField(default=0, editable=False)
    ignored = models.PositiveBigIntegerField(default=0, editable=False)
    refused = models.PositiveBigIntegerField(default=0, editable=False)

    class Meta:
        verbose_name = "URL trigger"

    def __str__(self) -> str:
        return f"URL trigger of {self.script}"

    @property
    def is_signed(self) -> bool:
        return self.enabled and bool(self.scheme) and bool(self.secret)


class TriggerKeyQuerySet(models.QuerySet["TriggerKey"]):
    def usable(self, now: datetime) -> "TriggerKeyQuerySet":
        never_ends = models.Q(expires_at=None)
        return self.filter(never_ends | models.Q(expires_at__gt=now), revoked_at=None)


class TriggerKey(models.Model):
    """A key of a script's trigger, of which only a hash is stored; several are good while one replaces another."""

    trigger = models.ForeignKey(UrlTrigger, models.CASCADE, related_name="keys")
    prefix = models.CharField(max_length=20)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=150, blank=True)
    last_used_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    objects = TriggerKeyQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.prefix}…"

    def is_usable(self, now: datetime) -> bool:
        if self.revoked_at is not None:
            return False
        return self.expires_at is None or self.expires_at > now


class TriggerCall(models.Model):
    """A call of a trigger, started, ignored or refused; the last ones of each script are kept."""

    trigger = models.ForeignKey(UrlTrigger, models.CASCADE, related_name="calls", db_index=False)
    at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(help_text="As it was answered.")
    address = models.CharField(max_length=45)
    sender = models.CharField(max_length=150, blank=True)
    reason = models.CharField(max_length=300)
    run = models.PositiveBigIntegerField(null=True)  # an id, as retention deletes runs

    class Meta:
        ordering = ["-pk"]
        # The last calls of a script.
        indexes = [models.Index(fields=["trigger", "-id"], name="call_of_trigger")]

    def __str__(self) -> str:
        return f"{self.status} for {self.address}"


class TriggerAnswer(models.Model):
    """What a call was answered, to be said again to one with the same name: a row a name for 24 hours."""

    trigger = models.ForeignKey(UrlTrigger, models.CASCADE, related_name="answers", db_index=False)
    name = models.CharField(max_length=64, help_text="SHA-256 of what makes a call the same one.")
    content = models.CharField(
        max_length=64, blank=True, help_text="SHA-256 of what the call said; empty: not compared."
    )
    run = models.PositiveBigIntegerField()
    answer = models.JSONField()
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["trigger", "name"], name="one_answer_a_name")
        ]

    def __str__(self) -> str:
        return f"answer {self.name[:8]}"
