"""Commands in the audit: each that acts is named, with who gave it."""

import importlib
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command, get_commands
from django.core.management.base import BaseCommand, CommandParser

from tempo_site.audit import net
from tempo_site.audit.commands import ActingCommand
from tempo_site.lib.console import caller
from tempo_site.models import AuditEntry
from tests.factories import make_run

LOOKING = {
    "doctor",
    "listkeys",
    "listruns",
    "listscripts",
    "queue",
    "searchlogs",
    "showlog",
    "showscript",
}
# They are Tempo itself, or put another database in the place of the one with the audit.
APART = {"prepare", "qcluster", "restore", "serve", "web"}
OUR_APPS = ("notifications_app", "runs_app", "scripts_app", "tempo_site")


def commands() -> Iterator[tuple[str, BaseCommand]]:
    for name, app in get_commands().items():
        if app in OUR_APPS:
            module = importlib.import_module(f"{app}.management.commands.{name}")
            yield name, module.Command()


def last() -> AuditEntry:
    return AuditEntry.objects.all()[0]


def test_whatever_does_not_only_look_is_a_command_of_the_audit() -> None:
    acting = {name for name, command in commands() if isinstance(command, ActingCommand)}
    assert acting == {name for name, _ in commands()} - LOOKING - APART


def test_every_command_prints_json_if_asked_to() -> None:
    without = set()
    for name, command in commands():
        parser = CommandParser()
        command.add_arguments(parser)
        if "--json" not in parser.format_help():
            without.add(name)
    assert without == APART - {"restore"}


@pytest.mark.django_db
def test_an_admin_made_by_a_command_is_in_the_audit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "ann")
    (tmp_path / "password").write_text("correct horse battery")
    options = {"password_file": str(tmp_path / "password"), "stdout": io.StringIO()}
    for _ in range(2):
        call_command("createadmin", "bob", **options)
    told = AuditEntry.objects.order_by("pk").values_list("actor", "name", "verb", "object_name")
    assert list(told) == [
        ("command", "createadmin (ann)", "created", "bob"),
        ("command", "createadmin (ann)", "created", "Hello Tempo"),
        ("command", "createadmin (ann)", "changed", "Hello Tempo"),
        ("command", "createadmin (ann)", "changed the password of", "bob"),
    ]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("argv", "verb"), [(["pauseall"], "paused"), (["rotatesecrets"], "encrypted anew")]
)
def test_a_command_is_named_and_not_tempo_itself(argv: list[str], verb: str) -> None:
    call_command(*argv, stdout=io.StringIO())
    assert (last().name, last().verb) == (f"{argv[0]} ({caller.user()})", verb)


@pytest.mark.django_db
def test_a_command_that_writes_and_records_nothing_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Command(ActingCommand):
        def handle(self, *args: object, **options: object) -> None:
            make_run(None)

    caught: list[str] = []
    monkeypatch.setattr(net, "catch_command", caught.append)
    Command(stdout=io.StringIO()).execute(
        force_color=False, no_color=True, skip_checks=True, stdout=None, stderr=None
    )
    assert caught == ["test_commands"]
