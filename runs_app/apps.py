"""The runs app: trigger, queue, run, output, history."""

from django.apps import AppConfig


class RunsConfig(AppConfig):
    name = "runs_app"
    verbose_name = "Runs"

    def ready(self) -> None:
        """Make known what lies in rooms of its own: tables and secrets of URL triggers; hear of a restore."""
        from runs_app.engine import after_restore  # noqa: PLC0415
        from runs_app.url_triggers import exchanged, secrets_in_use  # noqa: PLC0415
        from scripts_app.exchange import parts  # noqa: PLC0415
        from scripts_app.variables import rotation  # noqa: PLC0415
        from tempo_site.backups.signals import restored  # noqa: PLC0415

        parts.add(exchanged.PART)
        rotation.more_secrets.append(secrets_in_use.stored_secrets)
        restored.connect(after_restore.on_restored)
