"""The runs app: trigger, queue, run, output, history."""

from django.apps import AppConfig


class RunsConfig(AppConfig):
    name = "runs_app"
    verbose_name = "Runs"

    def ready(self) -> None:
        """Make the tables of URL triggers known, which lie in their room, and their secrets, as the key is changed."""
        from runs_app.url_triggers import exchanged, secrets_in_use  # noqa: PLC0415
        from scripts_app.exchange import parts  # noqa: PLC0415
        from scripts_app.variables import rotation  # noqa: PLC0415

        parts.add(exchanged.PART)
        rotation.more_secrets.append(secrets_in_use.stored_secrets)
