"""The notifications app: telling people what happened."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications_app"
    verbose_name = "Notifications"

    def ready(self) -> None:
        """Hear the other apps: Django wants the registry filled before models are imported."""
        from notifications_app import receivers  # noqa: PLC0415

        receivers.connect()
