"""The commands `createkey` and `qcluster`."""

import io

import pytest
from django.core.management import CommandError, call_command, get_commands

from tempo_site.models import ApiKey


@pytest.mark.django_db
@pytest.mark.parametrize("scope", ["full", "run", "read"])
def test_it_prints_the_key_alone(scope: str) -> None:
    printed = io.StringIO()
    call_command("createkey", "ci", "--scope", scope, stdout=printed)
    key = ApiKey.objects.by_token(printed.getvalue().removesuffix("\n"))
    assert key is not None and (key.name, key.scope) == ("ci", scope)


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["", "x" * 101])
def test_it_refuses_a_name_that_cannot_be_stored(name: str) -> None:
    with pytest.raises(CommandError, match="not made: `name`: "):
        call_command("createkey", name)
    assert not ApiKey.objects.exists()


@pytest.mark.django_db
def test_an_end_that_is_empty_is_not_taken_for_none() -> None:
    with pytest.raises(CommandError, match="is no time"):
        call_command("createkey", "ci", "--expires", "")
    assert not ApiKey.objects.exists()


def test_ours_is_the_qcluster_that_manage_py_finds() -> None:
    assert get_commands()["qcluster"] == "tempo_site"


def test_qcluster_says_where_the_cluster_is_and_exits_with_2() -> None:
    said = io.StringIO()
    with pytest.raises(SystemExit) as end:
        call_command("qcluster", stderr=said)
    assert end.value.code == 2
    assert "manage.py serve" in said.getvalue()
