"""The notifications app: telling people what happened."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """Hears `runs_app.signals.run_finished`; its rules and messages are yet to come."""

    name = "notifications_app"
    verbose_name = "Notifications"
