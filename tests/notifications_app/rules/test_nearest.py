"""Which rules count for a script."""

import pytest

from notifications_app.models import Rule
from notifications_app.rules import book, nearest
from scripts_app import folders
from scripts_app.models import Folder, Script
from tests.factories import make_script
from tests.notifications_app.telling import make_channel, make_rule

pytestmark = pytest.mark.django_db


def names(script: Script) -> list[str]:
    rules = list(Rule.objects.select_related("channel", "folder", "script"))
    return [rule.channel.name for rule in nearest.rules_of_script(script, rules)]


def test_the_nearest_level_counts_alone() -> None:
    script = make_script(folder="Ops/Nightly", tags=["db"])
    make_rule(make_channel("all"))
    assert names(script) == ["all"]
    make_rule(make_channel("tag"), tag="db")
    assert names(script) == ["tag"]
    make_rule(make_channel("far folder"), folder=folders.ensure("Ops"))
    assert names(script) == ["far folder"]
    make_rule(make_channel("near folder"), folder=folders.ensure("Ops/Nightly"))
    assert names(script) == ["near folder"]
    make_rule(make_channel("script"), script=script)
    assert names(script) == ["script"]


def test_rules_of_others_do_not_count() -> None:
    script = make_script(folder="Ops", tags=["db"])
    make_rule(make_channel("other script"), script=make_script("Other"))
    make_rule(make_channel("other tag"), tag="web")
    make_rule(make_channel("folder below"), folder=folders.ensure("Ops/Nightly"))
    make_rule(make_channel("folder of a like name"), folder=folders.ensure("Op"))
    assert names(script) == []


def test_a_folder_that_was_moved_takes_its_rules_along_at_once() -> None:
    script = make_script(folder="Ops/Nightly")
    rule = make_rule(folder=folders.ensure("Ops/Nightly"))
    assert nearest.rules_of_script(script, book.current().rules) == [rule]
    folders.move(Folder.objects.get(path="Ops"), path="Work")
    script = Script.objects.select_related("folder").get()
    assert nearest.rules_of_script(script, book.current().rules) == [rule]


def test_all_rules_of_the_nearest_level_count_but_one_channel_is_told_once() -> None:
    script = make_script(tags=["db", "web"])
    first, second = make_channel("first"), make_channel("second")
    make_rule(first, tag="db")
    make_rule(first, tag="web")
    make_rule(second, tag="web")
    assert names(script) == ["first", "second"]


def test_a_rule_without_events_keeps_a_script_quiet() -> None:
    script = make_script()
    make_rule(make_channel("all"))
    quiet = make_rule(make_channel("nobody"), script=script, events=[])
    rules = list(Rule.objects.select_related("channel", "folder", "script"))
    assert nearest.rules_of_script(script, rules) == [quiet]
    assert nearest.source(script, quiet) == nearest.OWN
