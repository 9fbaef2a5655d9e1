"""What stands below the settings of security: who may log in, and how often somebody may come."""

from typing import NamedTuple, TypedDict

from django.conf import settings
from django.contrib.auth.models import User

from tempo_site.accounts import attempts, rate_limits
from tempo_site.accounts.rate_limits import RateLimit
from tempo_site.lib import humanize

RATES: dict[str, RateLimit] = {
    "An API key": rate_limits.API,
    "An address with wrong API keys": rate_limits.WRONG_KEYS,
    "Log-ins that fail, of an account from one address": rate_limits.LOG_IN_OF_ACCOUNT,
    "Log-ins that fail, of all accounts from one address": rate_limits.LOG_IN_OF_ADDRESS,
    "The set-up page, from one address": rate_limits.SET_UP,
    "A URL trigger, with one key": rate_limits.TRIGGER,
}


class Rate(NamedTuple):
    who: str
    often: str


class SecurityContext(TypedDict):
    are_limited: bool
    users: int
    staff: int
    rates: list[Rate]
    free_attempts: int
    first_wait: str
    longest_wait: str


def security_context() -> SecurityContext:
    active = User.objects.filter(is_active=True)
    return {
        "are_limited": settings.RATELIMIT_ENABLE,
        "users": active.count(),
        "staff": active.filter(is_staff=True).count(),
        "rates": [Rate(who, _often(limit)) for who, limit in RATES.items()],
        "free_attempts": attempts.FREE_OF_ADDRESS,
        "first_wait": humanize.whole_span(attempts.FIRST_WAIT_S),
        "longest_wait": humanize.whole_span(attempts.LONGEST_WAIT_S),
    }


def _often(limit: RateLimit) -> str:
    return f"{limit.count:,} in {humanize.whole_span(limit.seconds)}"
