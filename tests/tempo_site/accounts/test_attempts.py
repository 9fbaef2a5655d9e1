"""Attempts at a password: who waits for how long, and who never does."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from tempo_site.accounts import attempts
from tempo_site.accounts.attempts import (
    COUNTED_S,
    DEVICE_COOKIE,
    FREE_OF_ACCOUNT,
    FREE_OF_ADDRESS,
    MAX_KEYS,
    Counter,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_attempts_yet() -> Iterator[None]:
    """Each test counts from nothing, and leaves nothing."""
    attempts.forget_all()
    yield
    attempts.forget_all()


def sent(address: str = "192.0.2.1", device: str = "") -> HttpRequest:
    """A request from an address, by a browser that may show a device's cookie."""
    request = RequestFactory().post("/login/", REMOTE_ADDR=address)
    if device:
        request.COOKIES[DEVICE_COOKIE] = device
    return request


def wait_s(request: HttpRequest, name: str = "ann", *, now: float = 0.0) -> int:
    """Fail once, or hear how long to wait."""
    return attempts.at_log_in(request, name, now=now).wait_s


def fail(address: str, count: int, name: str = "ann", *, now: float = 0.0) -> None:
    """Fail so often from an address, waiting as long as told."""
    for _ in range(count):
        now += wait_s(sent(address), name, now=now)
        attempts.at_log_in(sent(address), name, now=now)


def known_device(user: User) -> str:
    """The cookie of a browser in which a user has logged in."""
    response = HttpResponse()
    attempts.remember_device(response, user)
    return response.cookies[DEVICE_COOKIE].value


def test_ten_failures_are_free_and_then_each_wait_is_longer() -> None:
    assert [wait_s(sent()) for _ in range(FREE_OF_ADDRESS)] == [0] * FREE_OF_ADDRESS
    now, waits = 0.0, []
    for _ in range(7):
        waits.append(wait_s(sent(), now=now))
        now += waits[-1]
        assert wait_s(sent(), now=now) == 0
    assert waits == [60, 120, 240, 480, 900, 900, 900]


def test_coming_too_early_makes_the_wait_no_longer() -> None:
    for _ in range(FREE_OF_ADDRESS):
        wait_s(sent())
    assert [wait_s(sent(), now=number) for number in range(30)] == [60 - n for n in range(30)]


def test_failures_are_forgotten_after_an_hour() -> None:
    for _ in range(FREE_OF_ADDRESS):
        wait_s(sent())
    later = COUNTED_S + 1
    assert [wait_s(sent(), now=later) for _ in range(FREE_OF_ADDRESS)] == [0] * FREE_OF_ADDRESS


def test_other_accounts_from_the_same_address_count_too() -> None:
    for number in range(FREE_OF_ADDRESS):
        wait_s(sent(), f"user-{number}")
    assert wait_s(sent(), "ann") == 60


def test_another_address_does_not_wait() -> None:
    for _ in range(500):
        wait_s(sent("192.0.2.1"))
    assert wait_s(sent("192.0.2.2")) == 0


def test_addresses_of_one_ipv6_network_count_together() -> None:
    for number in range(FREE_OF_ADDRESS):
        wait_s(sent(f"2001:db8:1:2::{number:x}"))
    assert wait_s(sent("2001:db8:1:2:ffff::1")) == 60
    assert wait_s(sent("2001:db8:1:3::1")) == 0


def test_one_address_never_slows_an_account_down_for_others() -> None:
    now = 0.0
    for _ in range(500):  # more than four days of waiting as told
        now += wait_s(sent("192.0.2.1"), now=now)
        attempts.at_log_in(sent("192.0.2.1"), "ann", now=now)
    assert wait_s(sent("192.0.2.2"), now=now) == 0


def test_many_addresses_together_slow_one_account_down_and_no_other() -> None:
    for number in range(FREE_OF_ACCOUNT):
        assert wait_s(sent(f"198.51.100.{number}")) == 0
    assert wait_s(sent("203.0.113.1")) == 60
    assert wait_s(sent("203.0.113.1"), "bob") == 0


@pytest.mark.parametrize("spelling", [" ann", "ann\t", "\uff41\uff4e\uff4e", " \uff41nn "])
def test_an_account_is_one_however_its_name_is_spelled(spelling: str) -> None:
    assert AuthenticationForm().fields["username"].clean(spelling) == "ann"
    for number in range(FREE_OF_ACCOUNT):
        assert wait_s(sent(f"198.51.100.{number}"), spelling) == 0
    assert wait_s(sent("203.0.113.1"), "ann") == 60


def test_a_known_device_is_known_however_the_name_is_spelled(user: User) -> None:
    device = known_device(user)
    for number in range(FREE_OF_ADDRESS):
        assert wait_s(sent(f"192.0.2.{number}", device), f" {user.username}") == 0
    assert wait_s(sent("192.0.2.99", device), user.username) == 60


def test_a_device_on_which_the_user_has_logged_in_waits_for_nobody_else(user: User) -> None:
    device = known_device(user)
    for number in range(FREE_OF_ACCOUNT + 1):
        wait_s(sent(f"198.51.100.{number}"))
    fail("192.0.2.1", FREE_OF_ADDRESS)
    assert wait_s(sent("192.0.2.1")) > 0
    assert wait_s(sent("192.0.2.1", device)) == 0


def test_a_known_device_may_not_guess_for_ever_either(user: User) -> None:
    device = known_device(user)
    for number in range(FREE_OF_ADDRESS):
        assert wait_s(sent(f"192.0.2.{number}", device)) == 0
    assert wait_s(sent("192.0.2.99", device)) == 60


@pytest.mark.parametrize("change", ["another user's", "a new password", "made up", "cut"])
def test_a_cookie_that_is_not_this_users_is_worth_nothing(
    user: User, staff: User, change: str
) -> None:
    device = known_device(staff if change == "another user's" else user)
    if change == "a new password":
        user.set_password("battery staple")
        user.save()
    device = {"made up": f"{user.pk}:abc", "cut": device[:-1]}.get(change, device)
    assert not attempts.is_known_device(sent(device=device), "ann")


def test_a_success_is_not_counted_and_ends_no_wait_of_before() -> None:
    for _ in range(FREE_OF_ADDRESS - 1):
        wait_s(sent())
    for _ in range(20):
        attempts.at_log_in(sent(), "ann", now=0.0).succeeded(now=0.0)
    assert wait_s(sent()) == 0
    assert wait_s(sent()) == 60


def test_attempts_at_once_count_before_they_have_failed() -> None:
    begun = [attempts.at_log_in(sent(), "ann", now=0.0) for _ in range(FREE_OF_ADDRESS + 5)]
    assert [attempt.wait_s for attempt in begun] == [0] * FREE_OF_ADDRESS + [60] * 5


def test_the_memory_of_failures_is_bounded() -> None:
    counter = Counter(free=1)
    for number in range(MAX_KEYS + 10):
        counter.add(str(number), now=0.0)
    assert counter.wait_s("0", now=0.0) == 0 and counter.wait_s(str(MAX_KEYS), now=0.0) == 60


def test_it_can_be_switched_off(settings: Settings) -> None:
    settings.RATELIMIT_ENABLE = False
    assert [wait_s(sent()) for _ in range(50)] == [0] * 50
