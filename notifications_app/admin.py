"""Admin of channels, rules, incidents and deliveries: looked at here, changed by the same verbs as on their pages."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from notifications_app.channels import channels
from notifications_app.delivery import trial
from notifications_app.events import outbox
from notifications_app.models import Channel, Delivery, Incident, Rule
from notifications_app.rules import rules, words
from tempo_site import auth
from tempo_site.admin_base import DeletesByVerb, ReadOnlyAdmin, chip

STATES = {
    Delivery.Status.WAITING: "queued",
    Delivery.Status.SENDING: "running",
    Delivery.Status.SENT: "succeeded",
    Delivery.Status.FAILED: "failed",
    Delivery.Status.GIVEN_UP: "missed",
}


class VerbAdmin(DeletesByVerb, ReadOnlyAdmin):
    """Rows that are changed on a page of their own, and deleted by their verb."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True


@admin.register(Channel)
class ChannelAdmin(VerbAdmin):
    stays = "Its rules and deliveries go with it."
    actions = ("enable_selected", "disable_selected", "resume_selected", "test_selected")
    list_display = ("name", "kind", "state", "shown_address", "last_answer_at", "last_outcome")
    list_filter = ("kind", "enabled")
    list_select_related = ("script",)
    search_fields = ("name",)
    fields = (
        *("name", "kind", "state", "preset", "to", "shown_address", "script", "flavour", "every_s"),
        *("group_wait_s", "group_interval_s", "max_per_hour", "quiet_from", "quiet_until"),
        *("timezone", "weekly_report", "last_answer_at", "last_outcome", "last_answer", "message"),
        *("suspended_recipients", "created_at", "updated_at"),
    )

    def view_on_site(self, obj: Channel) -> str:
        return reverse("channel-edit", args=[obj.pk])

    @admin.display(description="state", ordering="enabled")
    def state(self, channel: Channel) -> SafeString:
        if channel.suspended_at:
            return chip("failed", "put aside")
        if not channel.enabled:
            return chip("off", "disabled")
        return chip("on", "enabled")

    @admin.action(description="Enable selected channels")
    def enable_selected(self, request: HttpRequest, rows: QuerySet[Channel]) -> None:
        for channel in rows:
            channels.save(channel, {"enabled": True})

    @admin.action(description="Disable selected channels")
    def disable_selected(self, request: HttpRequest, rows: QuerySet[Channel]) -> None:
        for channel in rows:
            channels.save(channel, {"enabled": False})

    @admin.action(description="Use selected channels again")
    def resume_selected(self, request: HttpRequest, rows: QuerySet[Channel]) -> None:
        for channel in rows:
            channels.resume(channel)

    @admin.action(description="Send a test by selected channels")
    def test_selected(self, request: HttpRequest, rows: QuerySet[Channel]) -> None:
        for channel in rows:
            answer = trial.send_test(channel, now=timezone.now())
            level = messages.SUCCESS if answer.outcome == trial.SENT else messages.ERROR
            sentence = f"{channel.name}: {answer.outcome}. {answer.answer}"
            self.message_user(request, sentence, level)

    def delete_one(self, row: Channel) -> None:
        channels.remove(row)


@admin.register(Rule)
class RuleAdmin(VerbAdmin):
    stays = "What was told stays. A wider rule counts again where there is one."
    list_display = ("scope", "channel", "events_in_words", "enabled")
    list_filter = ("enabled", "channel")
    list_select_related = ("channel", "script", "folder")
    fields = (
        *("channel", "scope", "events_in_words", "enabled", "after", "every", "reminder"),
        *("skipped", "late_s", "slow_s", "created_at", "updated_at"),
    )

    def view_on_site(self, obj: Rule) -> str:
        return reverse("rule-edit", args=[obj.pk])

    @admin.display(description="events")
    def events_in_words(self, rule: Rule) -> str:
        return words.events_of(rule)

    def delete_one(self, row: Rule) -> None:
        rules.remove(row)


@admin.register(Incident)
class IncidentAdmin(ReadOnlyAdmin):
    list_display = ("kind", "script", "subject", "streak", "opened_at", "recovered_at")
    list_filter = ("kind",)
    list_select_related = ("script",)
    fields = (*list_display, "first_run", "last_run", "thread")


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """The outbox is the machine's; a person may send a delivery again, or give up one that waits."""

    actions = ("send_again", "give_up")
    list_display = ("title", "state", "channel", "event", "created_at", "attempts")
    list_filter = ("status", "event", "channel")
    list_select_related = ("channel",)
    search_fields = ("title", "script__name")
    show_full_result_count = False
    fields = (
        *("title", "state", "channel", "rule", "event", "script", "run", "created_at", "attempts"),
        *("next_at", "finished_at", "duration_ms", "http_status", "answer", "message_id"),
    )

    @admin.display(description="status", ordering="status")
    def state(self, delivery: Delivery) -> SafeString:
        status = Delivery.Status(delivery.status)
        return chip(STATES[status], str(status.label))

    @admin.action(description="Send selected deliveries again")
    def send_again(self, request: HttpRequest, rows: QuerySet[Delivery]) -> None:
        count = sum(outbox.send_again(delivery, now=timezone.now()) for delivery in rows)
        self.message_user(request, f"Sending {count} of {len(rows)} again.", messages.SUCCESS)

    @admin.action(description="Give up selected deliveries that wait")
    def give_up(self, request: auth.SignedInRequest, rows: QuerySet[Delivery]) -> None:
        why = f"Given up by {request.user.get_username()}"
        count = sum(outbox.give_up(delivery, why, now=timezone.now()) for delivery in rows)
        self.message_user(request, f"Gave up {count} of {len(rows)}.", messages.SUCCESS)
