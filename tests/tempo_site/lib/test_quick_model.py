"""Rows that are made without Django's look at each field are the rows that Django makes."""

import pytest
from django.db import models

from runs_app.models import Run
from scripts_app.models import Script
from tempo_site.lib.sqlite.quick_model import QuickModel
from tests.calls import calls_of
from tests.factories import make_run, make_script

pytestmark = pytest.mark.django_db


def as_django_makes_it(row: models.Model) -> models.Model:
    """The same columns through Django's own way."""
    fields = [field.attname for field in row._meta.concrete_fields]
    read = [name for name in fields if name in row.__dict__]
    values = [row.__dict__[name] for name in read]
    made: models.Model = models.Model.from_db.__func__(type(row), "default", read, values)  # type: ignore[attr-defined]
    return made


def test_a_row_has_what_django_gives_it() -> None:
    run = make_run(make_script("A"), params={"name": [1, None]})
    for rows in (Run.objects.all(), Run.objects.defer("params"), Run.objects.only("status")):
        found = rows.get(pk=run.pk)
        expected = as_django_makes_it(found)
        assert found == expected == run
        assert found.get_deferred_fields() == expected.get_deferred_fields()
        assert (found._state.adding, found._state.db) == (False, "default")
        assert found._state.fields_cache == {}
        assert {**vars(found), "_state": None} == {**vars(expected), "_state": None}


def test_a_deferred_field_is_read_when_it_is_asked_for() -> None:
    run = make_run(make_script("A"), params={"name": 1})
    assert Run.objects.only("status").get(pk=run.pk).params == {"name": 1}


def test_a_related_row_follows_its_key() -> None:
    make_run(make_script("A"))
    run = Run.objects.select_related("script").get()
    other = make_script("B")
    run.script_id = other.pk
    assert run.script == other


def test_a_row_is_stored_and_read_again() -> None:
    script = Script.objects.get(pk=make_script("A").pk)
    script.description = "new"
    script.save()
    assert Script.objects.filter(description="new").count() == 1
    Script.objects.update(description="newer")
    script.refresh_from_db()
    assert script.description == "newer"


def test_it_takes_few_calls() -> None:
    run = make_run(make_script("A"))
    names = [field.attname for field in Run._meta.concrete_fields]
    values = [getattr(run, name) for name in names]
    assert issubclass(Run, QuickModel)
    assert calls_of(lambda: Run.from_db("default", names, values)) <= 10
