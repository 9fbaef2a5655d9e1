"""Variables: names and values by rule; a secret is stored encrypted, and told to nobody but a run."""

import traceback

import pytest
from django.conf import LazySettings as Settings

from scripts_app.models import Script, Variable
from scripts_app.validation import ScriptError
from scripts_app.variables import variables
from tempo_site.lib import encryption
from tests.factories import make_script
from tests.rows import each_row

pytestmark = pytest.mark.django_db

VALUE = "s3cr3t value"


def save(
    script: Script | None = None,
    name: str = "TOKEN",
    value: str = VALUE,
    *,
    is_secret: bool = False,
) -> Variable:
    """Save by an API key."""
    return variables.save(script, name=name, value=value, is_secret=is_secret, by="ci")


def test_a_run_gets_its_own_and_those_for_all() -> None:
    script = make_script()
    save(None, "A", "for all")
    save(None, "B", "for all")
    save(script, "B", "its own")
    save(make_script("Other"), "C", "of another")
    assert variables.for_run(script) == variables.RunVariables(
        plain={"A": "for all", "B": "its own"}, secrets={}
    )


@pytest.mark.parametrize("is_secret", [True, False])
def test_its_own_wins_whichever_of_them_is_secret(is_secret: bool) -> None:
    script = make_script()
    save(None, "A", "for all", is_secret=not is_secret)
    save(script, "A", "its own", is_secret=is_secret)
    found = variables.for_run(script)
    assert (
        found.secrets if is_secret else found.plain,
        found.plain if is_secret else found.secrets,
    ) == (
        {"A": "its own"},
        {},
    )


def test_saving_again_replaces_it_and_says_who_did() -> None:
    save(None, "A", "1")
    variables.save(None, name="A", value="2", is_secret=True, by="ada")
    row = Variable.objects.get()
    assert (row.is_secret, row.updated_by, encryption.decrypt(row.value)) == (True, "ada", "2")


def test_a_secret_stays_one_unless_it_is_said_otherwise() -> None:
    save(is_secret=True)
    variables.save(None, name="TOKEN", value="new", by="ada")
    assert variables.for_run(make_script()).secrets == {"TOKEN": "new"}
    save(value="plain", is_secret=False)
    assert variables.for_run(make_script()).plain == {"TOKEN": "plain"}


def test_a_secret_without_a_value_is_refused() -> None:
    with pytest.raises(ScriptError, match="needs a value"):
        save(value="", is_secret=True)


def test_those_for_all_that_a_script_gets_are_named() -> None:
    script = make_script()
    save(None, "A")
    save(None, "B")
    save(script, "B")
    assert [row.name for row in variables.inherited(script)] == ["A"]


def test_removing_tells_whether_there_was_one() -> None:
    script = make_script()
    save(script, "A")
    assert not variables.remove(None, "A")
    assert variables.remove(script, "A")
    assert not variables.remove(script, "A")


@each_row(
    "name", ["A", "a", "_a1", "X" * 100, "TZ", "LANG", "LC_ALL", "ENV", "https_proxy", "MY_PATH"]
)
def test_names_that_are_given(name: str) -> None:
    assert save(name=name).name == name


@each_row("name", ["", "1A", "A B", "A-B", "A=B", "É", "A\n", "X" * 101, "A\0", "٣A"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(ScriptError, match="is no name") as refusal:
        save(name=name)
    assert refusal.value.field == "name"


@each_row(
    "name",
    ["PATH", "HOME", "TMPDIR", "VIRTUAL_ENV", "TEMPO_X", "TEMPO_PARAM_A", "PYTHONPATH", "PYTHONHOME", "LD_PRELOAD",
     "LD_LIBRARY_PATH", "GCONV_PATH", "LOCPATH", "BASH_ENV", "IFS", "GLIBC_TUNABLES", "SSLKEYLOGFILE"],
)  # fmt: skip
def test_names_that_would_change_the_program_itself_are_refused_with_the_reason(name: str) -> None:
    with pytest.raises(ScriptError, match=f"`{name}` cannot be set: ") as refusal:
        save(name=name)
    assert refusal.value.field == "name" and not Variable.objects.exists()


@each_row("value", ["", " ", "two\nlines\r\n", "\ttab", "ä" * 16384, "x" * 32768, "🔑"])
def test_values_that_are_kept_as_they_are(value: str) -> None:
    for is_secret in (True, False) if value else (False,):
        save(value=value, is_secret=is_secret)
        found = variables.for_run(make_script())
        assert (found.secrets if is_secret else found.plain) == {"TOKEN": value}


@each_row("value", ["a\0b", "x" * 32769, "ä" * 16385, "\x1b[31m", "\x7f", "\ud800"])
def test_a_refused_value_is_not_told(value: str) -> None:
    with pytest.raises(ScriptError) as refusal:
        save(value=f"{VALUE}{value}", is_secret=True)
    assert (
        refusal.value.field == "value"
        and VALUE not in str(refusal.value)
        and not Variable.objects.exists()
    )


def test_there_are_two_hundred_at_most_and_changing_one_is_still_possible() -> None:
    Variable.objects.bulk_create(Variable(name=f"V{number}") for number in range(200))
    save(name="V7")
    with pytest.raises(ScriptError, match="200 is the most"):
        save(name="V200")
    save(make_script(), "V200")


def test_their_values_together_are_bounded_for_each_script() -> None:
    for number in range(4):
        save(name=f"V{number}", value="x" * 32 * 1024)
    with pytest.raises(ScriptError, match="131,072 is the most"):
        save(name="V4", value="x")
    save(make_script(), "V4", "x")


def test_a_secret_is_stored_encrypted_and_each_time_anew() -> None:
    first, second = save(name="A", is_secret=True).value, save(name="B", is_secret=True).value
    assert VALUE not in first and first != second
    assert encryption.decrypt(first) == VALUE == encryption.decrypt(second)


def test_with_another_key_a_run_is_told_which_variable_and_what_to_do(settings: Settings) -> None:
    script = make_script()
    save(script, is_secret=True)
    settings.SECRET_KEY = "another key, as long as keys have to be"
    with pytest.raises(
        variables.SecretUnreadable, match="The secret `TOKEN` of this script"
    ) as problem:
        variables.for_run(script)
    assert "PYSCHED_OLD_SECRET_KEY" in str(problem.value) and problem.value.__cause__ is None
    assert not variables.is_readable(Variable.objects.get())


def test_the_old_key_still_opens(settings: Settings) -> None:
    script = make_script()
    save(script, is_secret=True)
    settings.OLD_SECRET_KEY, settings.SECRET_KEY = (
        settings.SECRET_KEY,
        "another key, as long as keys have to be",
    )
    assert variables.for_run(script).secrets == {"TOKEN": VALUE}


def test_what_was_damaged_is_unreadable(settings: Settings) -> None:
    row = save(is_secret=True)
    Variable.objects.update(value=row.value[:-8] + "AAAAAAA=")
    with pytest.raises(variables.SecretUnreadable):
        variables.for_run(make_script())


def test_neither_a_representation_nor_a_traceback_tells_a_secret() -> None:
    script = make_script()
    save(script, is_secret=True)
    found = variables.for_run(script)
    assert VALUE not in repr(found) and "TOKEN" in repr(found)
    try:
        raise LookupError(found)
    except LookupError:
        assert VALUE not in traceback.format_exc()
