"""The command `createfrom`."""

import io

import pytest
from django.core.management import CommandError, call_command

from scripts_app import script_templates
from scripts_app.models import Script

pytestmark = pytest.mark.django_db


def said(*arguments: str) -> str:
    """What the command prints."""
    out = io.StringIO()
    call_command("createfrom", *arguments, stdout=out)
    return out.getvalue()


def test_it_lists_what_there_is() -> None:
    assert [line.split()[0] for line in said().splitlines()] == list(
        script_templates.all_templates()
    )
    assert not Script.objects.exists()


def test_it_makes_a_script_that_waits_to_be_switched_on() -> None:
    assert (
        said("disk_space", "--name", "NAS", "--folder", "Home")
        == "Created nas, its schedule switched off.\n"
    )
    script = Script.objects.select_related("folder").get()
    assert (str(script.folder), script.schedules.get().enabled) == ("Home", False)


@pytest.mark.parametrize("arguments", [["nothing"], ["hello", "--name", "..."]])
def test_it_says_what_it_cannot_make(arguments: list[str]) -> None:
    with pytest.raises(CommandError, match=r"There is no template|contains no letter"):
        said(*arguments)
    assert not Script.objects.exists()
