"""The notifications app: telling people what happened."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """Will hear `runs_app.signals.run_finished`; until then `execution.finish` counts each end as announced."""

    name = "notifications_app"
    verbose_name = "Notifications"
