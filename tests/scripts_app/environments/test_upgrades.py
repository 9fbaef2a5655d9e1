"""Upgrading packages: built beside, shown, used when a person says so, and nobody else touched."""

import pytest

from scripts_app import scripts
from scripts_app.environments import environments, upgrades
from scripts_app.models import Environment, Script
from scripts_app.validation import ScriptError
from tests.factories import NOW
from tests.scripts_app.environments.test_environments import (
    change,
    make_script,
    pretend_built,
    pretend_failed,
    wanted,
)

State = Environment.State

pytestmark = pytest.mark.django_db


def make_built(name: str = "Hello", requirements: str = "humanize") -> Script:
    script = make_script(name, requirements=requirements)
    if not wanted(script).is_ready:
        pretend_built(wanted(script))
    script.refresh_from_db()
    return script


def test_an_upgrade_is_built_beside_what_is_in_use() -> None:
    script = make_built()
    upgrade = upgrades.request(script)
    assert (upgrade.generation, upgrade.lock, environments.next_wanted()) == (1, "", upgrade)
    pretend_built(upgrade, digest="e" * 32)
    script.refresh_from_db()
    assert script.environment == script.wanted_environment != upgrade
    assert not environments.is_awaited(script)


def test_it_is_used_when_a_person_says_so() -> None:
    script = make_built()
    upgrade = upgrades.request(script)
    pretend_built(upgrade, digest="e" * 32)
    upgrades.use(script)
    script.refresh_from_db()
    assert (script.environment, script.wanted_environment, script.upgrade) == (
        upgrade,
        upgrade,
        None,
    )
    assert script.version and script.version.environment == upgrade


def test_it_cannot_be_used_before_it_is_built() -> None:
    script = make_built()
    upgrades.request(script)
    with pytest.raises(ScriptError, match="not built"):
        upgrades.use(script)


def test_another_script_with_the_same_requirements_keeps_what_it_has() -> None:
    script, other = make_built("One"), make_built("Other")
    pretend_built(upgrades.request(script), digest="e" * 32)
    upgrades.use(script)
    change(other, "humanize # saved again")
    other.refresh_from_db()
    assert other.environment and other.environment.generation == 0


def test_saving_again_keeps_the_upgrade_in_use() -> None:
    script = make_built()
    pretend_built(upgrades.request(script), digest="e" * 32)
    upgrades.use(script)
    scripts.update(script, by=None, now=NOW, code="print(2)\n")
    script.refresh_from_db()
    assert script.environment and script.environment.generation == 1


def test_a_new_script_gets_the_newest_packages_that_are_in_use_and_none_that_are_still_looked_at() -> (
    None
):
    script = make_built()
    pretend_built(upgrades.request(script), digest="e" * 32)
    assert wanted(make_script("Second", requirements="humanize")).generation == 0
    upgrades.use(script)
    assert wanted(make_script("Third", requirements="humanize")).generation == 1


def test_two_who_ask_share_what_is_still_to_be_built() -> None:
    assert upgrades.request(make_built("One")) == upgrades.request(make_built("Other"))


def test_a_failed_upgrade_changes_nothing_and_can_be_asked_for_again() -> None:
    script = make_built()
    first = upgrades.request(script)
    pretend_failed(first)
    script.refresh_from_db()
    assert script.environment and script.environment.generation == 0
    assert upgrades.request(script).state == State.WANTED


def test_discarding_it_keeps_what_is_in_use() -> None:
    script = make_built()
    upgrades.request(script)
    upgrades.discard(script)
    assert (script.upgrade, environments.next_wanted()) == (None, None)
    with pytest.raises(ScriptError, match="no upgrade"):
        upgrades.discard(script)


def test_other_requirements_make_it_pointless() -> None:
    script = make_built()
    upgrades.request(script)
    change(script, "attrs")
    script.refresh_from_db()
    assert script.upgrade is None


@pytest.mark.parametrize("requirements", ["", "humanize"])
def test_without_packages_there_is_nothing_to_upgrade(requirements: str) -> None:
    with pytest.raises(ScriptError, match="nothing to upgrade"):
        upgrades.request(make_script(requirements=requirements))
