"""The runs app: trigger, queue, run, output, history."""

from django.apps import AppConfig


class RunsConfig(AppConfig):
    name = "runs_app"
    verbose_name = "Runs"

    def ready(self) -> None:
        """Make tables known that lie in a room, and hear the other apps."""
        import runs_app.url_triggers.models  # noqa: F401, PLC0415 - Django finds tables in `models` alone
        from runs_app import receivers  # noqa: PLC0415

        receivers.connect()
