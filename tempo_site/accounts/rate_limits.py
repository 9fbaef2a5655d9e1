"""How often somebody may come: counted by django-ratelimit, in the memory of the one process that serves."""

from dataclasses import dataclass, replace

from django.http import HttpRequest
from django_ratelimit.core import get_usage

from tempo_site.lib import addresses


@dataclass(frozen=True, kw_only=True)
class RateLimit:
    """So many times in so many seconds; the windows are fixed, as django-ratelimit has them."""

    name: str
    count: int
    seconds: int

    @property
    def policy(self) -> str:
        """The value of the header `RateLimit-Policy`."""
        return f'"{self.name}";q={self.count};w={self.seconds}'


API = RateLimit(
    name="api", count=1000, seconds=10
)  # of a key: 100 a second, all of ten seconds at once too
WRONG_KEYS = RateLimit(name="wrong-keys", count=10, seconds=60)  # of an address
TRIGGER = RateLimit(name="trigger", count=60, seconds=60)  # of a script and key
LOG_IN_OF_ACCOUNT = RateLimit(name="log-in-account", count=5, seconds=60)  # from one address
LOG_IN_OF_ADDRESS = RateLimit(name="log-in-address", count=30, seconds=60)
SET_UP = RateLimit(name="set-up", count=10, seconds=60)  # of an address
PREVIEW = RateLimit(
    name="preview", count=300, seconds=60
)  # of an address; a page asks with every key that is typed
# Rows that strangers, and keys at ever new addresses, could fill the disk with.
FAILED_LOG_INS_IN_AUDIT = RateLimit(name="audit-log-in", count=500, seconds=3600)
NEW_ADDRESSES_IN_AUDIT = RateLimit(name="audit-address", count=30, seconds=3600)  # of a key


@dataclass(frozen=True, kw_only=True)
class LimitUsage:
    """Where somebody stands within a limit."""

    limit: RateLimit
    left: int
    resets_in_s: int
    is_over: bool

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers that tell the caller, in the form of the draft `RateLimit header fields for HTTP`."""
        state = f'"{self.limit.name}";r={self.left};t={self.resets_in_s}'
        told = {"RateLimit-Policy": self.limit.policy, "RateLimit": state}
        if self.is_over:
            told["Retry-After"] = str(max(1, self.resets_in_s))
        return told


class TooMany(Exception):
    """Somebody came too often; the answer is 429 with `usage.headers`."""

    def __init__(self, usage: LimitUsage) -> None:
        wait_s = max(1, usage.resets_in_s)
        seconds = "second" if wait_s == 1 else "seconds"
        super().__init__(f"Too many requests.\nhint: try again in {wait_s} {seconds}")
        self.usage = usage


def address_of(request: HttpRequest) -> str:
    """Return the address that a request comes from, as it is counted: of IPv6 the network."""
    return addresses.site_of(request.META.get("REMOTE_ADDR", ""))


def take(limit: RateLimit, whose: str) -> LimitUsage | None:
    """Count one more, and return where `whose` stands; None where limits are switched off."""
    return _usage(limit, whose, increment=True)


def require_room(limit: RateLimit, whose: str) -> None:
    """Raise TooMany where the limit is reached, and count nothing: for what counts only when it fails."""
    usage = _usage(limit, whose, increment=False)
    if usage is not None and usage.left == 0:
        raise TooMany(replace(usage, is_over=True))


def _usage(limit: RateLimit, whose: str, *, increment: bool) -> LimitUsage | None:
    found = get_usage(
        None,
        group=limit.name,
        key=lambda _group, _request: whose,
        rate=(limit.count, limit.seconds),
        increment=increment,
    )
    if found is None:
        return None
    return LimitUsage(
        limit=limit,
        left=max(0, limit.count - found["count"]),
        resets_in_s=max(0, found["time_left"]),
        is_over=found["should_limit"],
    )


def require(limit: RateLimit, whose: str) -> LimitUsage | None:
    """Count one more. Raise TooMany beyond the limit."""
    usage = take(limit, whose)
    if usage is not None and usage.is_over:
        raise TooMany(usage)
    return usage


def is_free(limit: RateLimit, whose: str) -> bool:
    """Count one more, and return whether that is within the limit."""
    usage = take(limit, whose)
    return usage is None or not usage.is_over
