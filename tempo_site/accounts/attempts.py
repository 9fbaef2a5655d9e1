"""Attempts at a password: after some that failed, the next one has to wait, longer each time."""

# Counted by address, and by account over all addresses. Devices on which a user has logged in before have a count of
# their own: so nobody elsewhere, nor many together, can keep users from their own accounts.
#
# How often is counted by django-ratelimit, here as everywhere (`rate_limits`). This is what it has no word for: a wait
# that begins with the last failure and doubles with each, and an attempt that is taken back because it succeeded.

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from django.conf import settings
from django.contrib.auth.forms import UsernameField
from django.contrib.auth.models import User
from django.core.signing import BadSignature, Signer
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from tempo_site.lib import addresses, origins

FREE_OF_ADDRESS = 10
FREE_OF_ACCOUNT = 100  # more than any five addresses get within the hour
FIRST_WAIT_S, LONGEST_WAIT_S = 60.0, 900.0
COUNTED_S = 3600.0
MAX_KEYS = 20_000

MAX_NAME = 150  # characters: a longer name is nobody's
# As the form has it, which takes " ann" and full-width letters for "ann".
_NAME = UsernameField(max_length=MAX_NAME)

DEVICE_COOKIE = "tempo_device"
DEVICE_DAYS = 400  # the most that browsers allow


@dataclass
class _Failures:
    at: list[float] = field(default_factory=list)  # of the last hour
    free_at: float = 0.0


class Counter:
    """Failed attempts by key, in memory. `now` is of `time.monotonic()`."""

    def __init__(self, *, free: int) -> None:
        self._free = free
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def wait_s(self, key: str, *, now: float) -> float:
        failures = self._failures.get(key)
        return max(0.0, failures.free_at - now) if failures else 0.0

    def add(self, key: str, *, now: float) -> None:
        failures = self._failures.pop(key, None) or _Failures()
        failures.at = [*(at for at in failures.at if at > now - COUNTED_S), now]
        failures.free_at = now + self._delay_s(len(failures.at))
        self._failures[key] = failures
        if len(self._failures) > MAX_KEYS:
            self._failures.popitem(last=False)

    def take_back(self, key: str, *, now: float) -> None:
        failures = self._failures.get(key)
        if failures and failures.at:
            failures.at.pop()
            failures.free_at = now

    def clear(self) -> None:
        self._failures.clear()

    def _delay_s(self, count: int) -> float:
        if count < self._free:
            return 0.0
        return min(FIRST_WAIT_S * 2.0 ** (count - self._free), LONGEST_WAIT_S)


_lock = threading.Lock()
_of_address = Counter(free=FREE_OF_ADDRESS)
_of_account = Counter(free=FREE_OF_ACCOUNT)
_of_device = Counter(free=FREE_OF_ADDRESS)  # of all known devices of a user
Key = tuple[Counter, str]


class Attempt:
    """One attempt: counted as failed when it begins, so that many at once count as many, and taken back if it succeeds.

    `wait_s` seconds have to pass before the next one, if this one comes too early; it is not to be made then.
    """

    def __init__(self, *keys: Key, now: float) -> None:
        self._keys = keys
        self.wait_s = 0
        if not settings.RATELIMIT_ENABLE:
            return
        with _lock:
            self.wait_s = math.ceil(max(counter.wait_s(key, now=now) for counter, key in keys))
            if self.wait_s == 0:
                for counter, key in keys:
                    counter.add(key, now=now)

    def succeeded(self, *, now: float) -> None:
        with _lock:
            for counter, key in self._keys:
                counter.take_back(key, now=now)


def at_log_in(request: HttpRequest, username: str, *, now: float) -> Attempt:
    username = account_of(username)
    if is_known_device(request, username):
        return Attempt((_of_device, username), now=now)
    account = username[:MAX_NAME]
    return Attempt((_of_address, _site_of(request)), (_of_account, account), now=now)


def account_of(username: str) -> str:
    """Return the name of an account as it is stored, however it was spelled."""
    return _NAME.to_python(username) or ""


def at_set_up(request: HttpRequest, *, now: float) -> Attempt:
    return Attempt((_of_address, _site_of(request)), now=now)


def at_own_password(user: User, *, now: float) -> Attempt:
    return Attempt((_of_device, user.get_username()), now=now)


def forget_all() -> None:
    with _lock:
        for counter in (_of_address, _of_account, _of_device):
            counter.clear()


def remember_device(response: HttpResponseBase, user: User) -> None:
    """Have the browser show at the next log-in that this user has logged in there. A new password ends that."""
    response.set_cookie(
        DEVICE_COOKIE,
        _signer(user).sign(str(user.pk)),
        max_age=DEVICE_DAYS * 86_400,
        httponly=True,
        samesite="Lax",
        path=origins.with_base("/login/"),
    )


def is_known_device(request: HttpRequest, username: str) -> bool:
    shown = request.COOKIES.get(DEVICE_COOKIE, "")
    if not shown:
        return False
    user = User.objects.filter(username=username).first()
    if user is None:
        return False
    try:
        return _signer(user).unsign(shown) == str(user.pk)
    except BadSignature:
        return False


def _signer(user: User) -> Signer:
    return Signer(salt=f"tempo.device.{user.get_session_auth_hash()}")


def _site_of(request: HttpRequest) -> str:
    return addresses.site_of(request.META.get("REMOTE_ADDR", ""))
