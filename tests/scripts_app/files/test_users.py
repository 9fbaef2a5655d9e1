"""Users of scripts: one for each, never given to another."""

import pytest
from pytest_django import Settings

from scripts_app.files import users
from scripts_app.models import Script
from tests.factories import make_script

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def pool(settings: Settings) -> None:
    """A pool in which the script with the number 1 has the user 50000."""
    settings.SCRIPT_USERS = range(50000, 60000)


def test_a_script_has_no_user_before_its_first_run() -> None:
    assert make_script().uid is None


def test_a_script_keeps_the_user_that_its_number_names() -> None:
    script = make_script()
    assert users.assign(script) == (49999 + script.pk, "")
    assert users.assign(Script.objects.get(pk=script.pk)) == (49999 + script.pk, "")


def test_two_scripts_never_share_a_user() -> None:
    first, second = make_script("First"), make_script("Second")
    Script.objects.filter(pk=first.pk).update(uid=49999 + second.pk)  # a pool that began elsewhere
    first.refresh_from_db()
    assert users.assign(second) == (50000 + second.pk, "")
    assert users.assign(first) == (49999 + second.pk, "")


def test_two_first_runs_at_once_get_the_same_user() -> None:
    script = make_script()
    one, other = Script.objects.get(pk=script.pk), Script.objects.get(pk=script.pk)
    assert users.assign(one) == users.assign(other)


def test_a_user_outside_of_a_changed_pool_is_replaced(settings: Settings) -> None:
    script = make_script()
    users.assign(script)
    settings.SCRIPT_USERS = range(70000, 80000)
    assert users.assign(script) == (69999 + script.pk, "")


def test_a_pool_that_is_used_up_gives_none_and_says_so(settings: Settings) -> None:
    first, second = make_script("First"), make_script("Second")
    settings.SCRIPT_USERS = range(50000, 50000 + second.pk)
    Script.objects.filter(pk=first.pk).update(uid=49999 + second.pk)
    uid, why = users.assign(second)
    assert uid is None and "PYSCHED_SCRIPT_USERS" in why


def test_a_script_that_runs_as_tempo_has_none_by_choice() -> None:
    script = make_script(as_service_user=True)
    uid, why = users.assign(script)
    assert uid is None and "Tempo's own user" in why
    assert Script.objects.get(pk=script.pk).uid is None
