"""The scripts app: what runs, with what, when."""

from django.apps import AppConfig


class ScriptsConfig(AppConfig):
    name = "scripts_app"
    verbose_name = "Scripts"

    def ready(self) -> None:
        """Hear of a restore: Django wants its registry filled before models are imported."""
        from scripts_app.environments import after_restore  # noqa: PLC0415
        from tempo_site.backups.signals import restored  # noqa: PLC0415

        restored.connect(after_restore.on_restored)
