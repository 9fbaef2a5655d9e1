"""The tables of telling: channels, rules, incidents and deliveries."""

import uuid
from datetime import datetime
from zoneinfo import ZoneInfo

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone

from runs_app.models import Run
from scripts_app.models import Folder, Script

MAX_ANSWER = 500
MAX_TITLE = 200


class Event(models.TextChoices):
    """What may be told. The values are the words of the webhook's `event` and of a rule's `events`."""

    FAILED = "failed"
    RECOVERED = "recovered"
    SUCCEEDED = "succeeded"
    DID_NOT_RUN = "did_not_run", "Did not run"
    SLOW = "slow", "Takes longer than usual"
    ENVIRONMENT_BROKEN = "environment_broken", "Environment broken"
    SCHEDULE_SUSPENDED = "schedule_suspended", "Schedule put aside"
    DISK_FLOOR = "disk_floor", "Disk nearly full"
    BACKUP_FAILED = "backup_failed", "Backup failed or overdue"
    RESTARTED = "restarted", "Tempo came back after a crash"


class Notice(models.TextChoices):
    """What is told beside the events, without a rule."""

    CHANNEL_SUSPENDED = "channel_suspended", "Channel put aside"
    WEEKLY_REPORT = "weekly_report", "Weekly report"
    HEARTBEAT = "heartbeat"


class ChannelQuerySet(models.QuerySet["Channel"]):
    def usable(self) -> "ChannelQuerySet":
        return self.filter(enabled=True, suspended_at=None)

    def that_hear_nothing(self) -> "ChannelQuerySet":
        """Return those that no rule names and that need one."""
        named = Rule.objects.filter(enabled=True).values("channel")
        need_one = self.exclude(kind=Channel.Kind.HEARTBEAT).exclude(weekly_report=True)
        return need_one.exclude(pk__in=named)


class Channel(models.Model):
    """Who is told, and how. Address and secrets are stored encrypted, as secret variables are."""

    class Kind(models.TextChoices):
        MAIL = "mail"
        WEBHOOK = "webhook"
        APPRISE = "apprise", "service"
        HEARTBEAT = "heartbeat"

    class Flavour(models.TextChoices):
        HEALTHCHECKS = "healthchecks", "Healthchecks"
        UPTIME_KUMA = "uptime_kuma", "Uptime Kuma"

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=9, choices=Kind)
    enabled = models.BooleanField(default=True)
    to = models.JSONField(default=list, blank=True, help_text="Kind mail: addresses.")
    address = models.TextField(
        blank=True, editable=False, help_text="The URL; what Fernet made of it."
    )
    shown_address = models.CharField(
        max_length=200, blank=True, editable=False, help_text="What pages may show of it."
    )
    preset = models.CharField(
        max_length=40, blank=True, help_text="The form it was made with; empty: by its URL."
    )
    secret = models.TextField(
        blank=True, editable=False, help_text="Signs a webhook; what Fernet made of it."
    )
    old_secret = models.TextField(
        blank=True, editable=False, help_text="Signs beside it, while secrets are changed."
    )

    # Of heartbeats.
    script = models.ForeignKey(
        Script,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="heartbeats",
        help_text="Kind heartbeat: whose runs it follows; empty: Tempo itself.",
    )
    follows_backups = models.BooleanField(
        default=False, help_text="Kind heartbeat: it follows the backups of this Tempo."
    )
    flavour = models.CharField(max_length=12, choices=Flavour, default=Flavour.HEALTHCHECKS)
    every_s = models.PositiveIntegerField(
        default=60,
        validators=[MinValueValidator(20), MaxValueValidator(86400)],
        help_text="Kind heartbeat, of Tempo itself: seconds between two signs of life.",
    )

    # How much at a time.
    group_wait_s = models.PositiveIntegerField(
        default=30,
        validators=[MaxValueValidator(3600)],
        help_text="Seconds in which what follows a first message is collected.",
    )
    group_interval_s = models.PositiveIntegerField(
        default=300,
        validators=[MaxValueValidator(86400)],
        help_text="Seconds between two messages with what was collected; 0 = every event alone.",
    )
    max_per_hour = models.PositiveIntegerField(
        default=0, help_text="Messages in an hour; what is beyond waits for one digest. 0 = no cap."
    )
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_until = models.TimeField(null=True, blank=True)
    timezone = models.CharField(
        max_length=64, blank=True, help_text="Of the quiet hours; empty: Tempo's own."
    )
    weekly_report = models.BooleanField(default=False)

    # What became of it.
    last_message_at = models.DateTimeField(null=True, editable=False)
    is_collecting = models.BooleanField(default=False, editable=False)
    last_beat_at = models.DateTimeField(null=True, editable=False)
    last_started_run = models.PositiveBigIntegerField(
        default=0, editable=False, help_text="Kind heartbeat: the newest run whose start was told."
    )
    last_report_at = models.DateTimeField(null=True, editable=False)
    last_answer_at = models.DateTimeField(null=True, editable=False)
    last_outcome = models.CharField(max_length=8, blank=True, editable=False)
    last_answer = models.CharField(max_length=MAX_ANSWER, blank=True, editable=False)
    suspended_at = models.DateTimeField(null=True, editable=False)
    message = models.CharField(
        max_length=MAX_ANSWER, blank=True, editable=False, help_text="Why it was put aside."
    )
    suspended_recipients = models.JSONField(
        default=dict,
        blank=True,
        editable=False,
        help_text="Addresses that are left out, with the receiver's answer.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ChannelQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_usable(self) -> bool:
        return self.enabled and self.suspended_at is None

    @property
    def recipients(self) -> list[str]:
        return [address for address in self.to if address not in self.suspended_recipients]

    def local(self, moment: datetime) -> datetime:
        """Return the moment in the zone of the quiet hours; in Tempo's where this machine does not know that one."""
        if not self.timezone:
            return timezone.localtime(moment)
        try:
            return moment.astimezone(ZoneInfo(self.timezone))
        except (KeyError, ValueError, OSError):
            return timezone.localtime(moment)


class Rule(models.Model):
    """What a channel hears of: all scripts, those of a folder or with a tag, or one script; the nearest wins."""

    class Reminder(models.TextChoices):
        OFF = "off"
        DAILY = "daily"
        WEEKLY = "weekly"

    channel = models.ForeignKey(Channel, models.CASCADE, related_name="rules")
    script = models.ForeignKey(
        Script, models.CASCADE, null=True, blank=True, related_name="notification_rules"
    )
    folder = models.ForeignKey(
        Folder, models.CASCADE, null=True, blank=True, related_name="notification_rules"
    )
    tag = models.CharField(max_length=50, blank=True)
    enabled = models.BooleanField(default=True)
    events = models.JSONField(default=list, blank=True)
    after = models.PositiveIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text="Failed: told at so many failures in a row.",
    )
    every = models.PositiveIntegerField(
        default=0, help_text="Failed: told again at every so many failures; 0 = not again."
    )
    reminder = models.CharField(max_length=6, choices=Reminder, default=Reminder.OFF)
    skipped = models.PositiveIntegerField(
        default=3,
        validators=[MinValueValidator(1)],
        help_text="Did not run: told when so many in a row were skipped.",
    )
    late_s = models.PositiveIntegerField(
        default=0, help_text="Did not run: told when a start is later, in seconds; 0 = no matter."
    )
    slow_s = models.PositiveIntegerField(
        default=0, help_text="Slow: told when a run takes longer, in seconds; 0 = as usual."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(script=None, folder=None)
                | models.Q(script=None, tag="")
                | models.Q(folder=None, tag=""),
                name="one_scope_a_rule",
            )
        ]

    def __str__(self) -> str:
        return f"{self.channel}: {self.scope}"

    @property
    def scope(self) -> str:
        if self.script:
            return f"script {self.script}"
        if self.folder:
            return f"folder {self.folder}"
        if self.tag:
            return f"tag {self.tag}"
        return "all scripts"


class Incident(models.Model):
    """Something that goes on being wrong, from its first sign to its recovery: one thread of messages."""

    kind = models.CharField(max_length=20, choices=Event)
    script = models.ForeignKey(Script, models.CASCADE, null=True, related_name="incidents")
    subject = models.CharField(
        max_length=60, blank=True, help_text="What is wrong, beside the script: `schedule 12`."
    )
    streak = models.PositiveIntegerField(default=0, help_text="Bad runs in a row.")
    opened_at = models.DateTimeField()
    first_run = models.ForeignKey(Run, models.SET_NULL, null=True, related_name="+", db_index=False)
    last_run = models.ForeignKey(Run, models.SET_NULL, null=True, related_name="+", db_index=False)
    recovered_at = models.DateTimeField(null=True)
    thread = models.UUIDField(default=uuid.uuid4, editable=False)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "script", "subject"],
                condition=models.Q(recovered_at=None),
                name="one_open_incident",
            ),
            # A database takes two rows without a script for different ones.
            models.UniqueConstraint(
                fields=["kind", "subject"],
                condition=models.Q(recovered_at=None, script=None),
                name="one_open_incident_of_tempo",
            ),
        ]
        # Retention of runs: without these, each run that is deleted has the database read all incidents.
        indexes = [
            models.Index(
                fields=["first_run"],
                condition=models.Q(first_run__isnull=False),
                name="incident_of_first_run",
            ),
            models.Index(
                fields=["last_run"],
                condition=models.Q(last_run__isnull=False),
                name="incident_of_last_run",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.script or self.subject}"


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def open(self) -> "DeliveryQuerySet":
        return self.filter(status__in=Delivery.OPEN)


class Delivery(models.Model):
    """The outbox: one event for one channel. Rows that were sent together bear the same message id."""

    class Status(models.TextChoices):
        WAITING = "waiting"
        SENDING = "sending"
        SENT = "sent"
        FAILED = "failed", "refused"
        GIVEN_UP = "given_up", "given up"

    OPEN = (Status.WAITING, Status.SENDING)

    channel = models.ForeignKey(Channel, models.CASCADE, related_name="deliveries", db_index=False)
    rule = models.ForeignKey(Rule, models.SET_NULL, null=True, related_name="+")
    event = models.CharField(max_length=20, choices=[*Event.choices, *Notice.choices])
    script = models.ForeignKey(Script, models.SET_NULL, null=True, related_name="deliveries")
    run = models.ForeignKey(Run, models.SET_NULL, null=True, related_name="deliveries")
    incident = models.ForeignKey(Incident, models.SET_NULL, null=True, related_name="deliveries")
    title = models.CharField(max_length=MAX_TITLE)
    facts = models.JSONField(default=dict, help_text="What was known when it happened.")
    status = models.CharField(max_length=8, choices=Status, default=Status.WAITING)
    created_at = models.DateTimeField()
    next_at = models.DateTimeField(null=True, help_text="Not before; empty: when its group is.")
    attempts = models.PositiveIntegerField(default=0)
    message_id = models.CharField(max_length=40, blank=True)
    stamped_at = models.DateTimeField(null=True, help_text="When its message was first begun.")
    recipients = models.JSONField(
        default=list, help_text="Kind mail: who has not got it yet; empty: all of the channel."
    )
    finished_at = models.DateTimeField(null=True)
    duration_ms = models.PositiveIntegerField(null=True)
    http_status = models.PositiveIntegerField(null=True)
    answer = models.CharField(max_length=MAX_ANSWER, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "deliveries"
        indexes = [
            # A channel's deliveries, and its messages of the last hour.
            models.Index(fields=["channel", "-id"], name="delivery_of_channel"),
            # The outbox: what waits, a few rows whatever the history.
            models.Index(
                fields=["channel", "id"],
                condition=models.Q(status__in=("waiting", "sending")),
                name="delivery_open",
            ),
            # Retention.
            models.Index(fields=["created_at"], name="delivery_created"),
        ]

    def __str__(self) -> str:
        return self.title
