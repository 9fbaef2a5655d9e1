"""Prepared queries: the rows that the ORM itself makes, by a statement that is built once."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import Exists, Model, OuterRef
from django.db.models.expressions import RawSQL
from django.test.utils import CaptureQueriesContext

from runs_app.models import Run
from runs_app.states import Status
from scripts_app.models import Script, Version
from tempo_site.lib.sqlite.prepared import Given, PreparedQuery
from tests.factories import NOW, make_run, make_script

pytestmark = pytest.mark.django_db


def columns(row: Model) -> dict[str, Any]:
    """What was read of a row, and of the rows that came with it."""
    own = {name: value for name, value in vars(row).items() if name != "_state"}
    related = {name: columns(found) for name, found in row._state.fields_cache.items() if found}
    return {**own, "related": related}


def test_rows_are_as_the_orm_makes_them() -> None:
    run = make_run(make_script("A"), status=Status.RUNNING, params={"name": [1, None]})
    rows = Run.objects.select_related("script", "script__version", "environment", "schedule")
    prepared = PreparedQuery(lambda: rows.defer("script__description").filter(pk=Given("pk")))
    expected = rows.defer("script__description").get(pk=run.pk)
    for _ in range(2):
        (found,) = prepared.rows(pk=run.pk)
        assert columns(found) == columns(expected)
        assert (found._state.adding, found._state.db) == (False, connection.alias)


def test_annotations_come_along() -> None:
    make_run(make_script("A"))
    make_script("B")
    has_run = Exists(Run.objects.filter(script=OuterRef("pk")))
    rows = PreparedQuery(lambda: Script.objects.annotate(has_run=has_run).order_by("name"))
    assert [vars(script)["has_run"] for script in rows.rows()] == [True, False]


def test_each_value_has_its_place() -> None:
    scripts = [make_script(name) for name in ("A", "B", "C")]
    of_two = PreparedQuery(
        lambda: (
            Version.objects.filter(script=Given("one"))
            | Version.objects.filter(script=Given("two"))
        )
    )
    found = of_two.rows(two=scripts[0].pk, one=scripts[2].pk)
    assert {version.script_id for version in found} == {scripts[0].pk, scripts[2].pk}


def test_a_moment_is_compared_as_it_is_stored() -> None:
    make_run(created_at=NOW)
    before = PreparedQuery(lambda: Run.objects.filter(created_at__lt=Given("moment")))
    assert len(before.rows(moment=NOW)) == 0
    assert len(before.rows(moment=NOW + timedelta(microseconds=1))) == 1


def test_a_list_is_given_as_json() -> None:
    scripts = [make_script(name) for name in ("A", "B", "C")]
    but = RawSQL("SELECT value FROM json_each(%s)", [Given("but")])
    others = PreparedQuery(lambda: Script.objects.exclude(pk__in=but).order_by("pk")[:1])
    assert others.rows(but=f"[{scripts[0].pk}]") == [scripts[1]]
    assert others.first(but="[]") == scripts[0]
    assert others.first(but=str([script.pk for script in scripts])) is None


def test_the_statement_is_built_once() -> None:
    asked = []

    def rows() -> Any:
        asked.append("")
        return Script.objects.filter(slug=Given("slug"))

    prepared = PreparedQuery(rows)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        for slug in ("a", "b"):
            assert prepared.first(slug=slug) is None
    assert (len(asked), len(queries)) == (1, 2)
