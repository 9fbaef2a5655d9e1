"""Admin of what Tempo wrote of its telling: incidents and deliveries, to look at."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from notifications_app.events import outbox
from notifications_app.models import Delivery, Incident
from tempo_site import auth
from tempo_site.admin_base import ReadOnlyAdmin, chip

STATES = {
    Delivery.Status.WAITING: "queued",
    Delivery.Status.SENDING: "running",
    Delivery.Status.SENT: "succeeded",
    Delivery.Status.FAILED: "failed",
    Delivery.Status.GIVEN_UP: "missed",
}


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
        now = timezone.now()
        count = sum(outbox.send_again_or_try_now(delivery, now=now) for delivery in rows)
        self.message_user(request, f"Sending {count} of {len(rows)} again.", messages.SUCCESS)

    @admin.action(description="Give up selected deliveries that wait")
    def give_up(self, request: auth.SignedInRequest, rows: QuerySet[Delivery]) -> None:
        why = f"Given up by {request.user.get_username()}"
        count = sum(outbox.give_up(delivery, why, now=timezone.now()) for delivery in rows)
        self.message_user(request, f"Gave up {count} of {len(rows)}.", messages.SUCCESS)
