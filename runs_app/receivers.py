"""What the runs app hears of the others."""

from runs_app.url_triggers import trigger_settings
from scripts_app.variables import rotation


def connect() -> None:
    rotation.more_secrets.append(trigger_settings.reencrypt_all)
