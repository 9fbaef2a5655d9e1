"""How long a log-in holds."""

from django.http import HttpRequest

from tempo_site.stored_settings import security, store

DAY_S = 86_400


def limit_log_in(request: HttpRequest) -> None:
    """Let the log-in that was just made end after as many days as the settings say."""
    request.session.set_expiry(store.number(security.SESSION_DAYS) * DAY_S)
