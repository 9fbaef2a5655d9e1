"""What the runs app hears of the others."""

from runs_app.url_triggers import secrets_in_use
from scripts_app.variables import rotation


def connect() -> None:
    rotation.more_secrets.append(secrets_in_use.reencrypt_all)
