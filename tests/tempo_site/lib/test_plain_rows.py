"""Plain rows: what a list in JSON shows is what the API shows of each row by itself."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection
from django.test.utils import CaptureQueriesContext

from runs_app.api import runs as runs_api
from runs_app.history import run_rows
from runs_app.models import Run
from runs_app.states import Reason, Status
from scripts_app import script_rows
from scripts_app.api import scripts as scripts_api
from scripts_app.models import Script
from tempo_site.lib.sqlite.plain_rows import api_moment
from tests.factories import NOW, make_run, make_script

pytestmark = pytest.mark.django_db


def in_json(content: Any) -> Any:
    """What a client reads."""
    return json.loads(json.dumps(content, cls=DjangoJSONEncoder))


@pytest.mark.parametrize("microsecond", [0, 1, 999, 120_000, 999_999])
def test_a_moment_is_as_the_json_encoder_writes_it(microsecond: int) -> None:
    moment = datetime(2026, 3, 1, 4, 5, 6, microsecond, tzinfo=UTC)
    stored = connection.ops.adapt_datetimefield_value(moment)
    assert api_moment(str(stored)) == in_json(moment)


def test_a_run_in_a_list_is_the_run_by_itself() -> None:
    script = make_script("A")
    make_run(script, status=Status.FAILED, reason=Reason.EXIT_CODE, exit_code=3, finished_at=NOW)
    make_run(script, status=Status.QUEUED, params={"name": ["ä", None]}, due_at=NOW, late_ms=9000)
    make_run(None, status=Status.SUCCEEDED, overran=True, duration_s=0.25)
    expected = [in_json(runs_api.run_out(run).model_dump()) for run in Run.objects.order_by("-pk")]
    found = [in_json(runs_api.row_out(row)) for row in run_rows.rows(Run.objects.all())]
    assert found == expected
    assert list(found[0]) == list(expected[0])


def test_a_script_in_a_list_is_the_script_by_itself() -> None:
    make_script("B", tags=["nightly"], enabled=False)
    make_script("A", folder="Home/NAS", parameters=[{"name": "day", "type": "text"}])
    scripts = Script.objects.order_by("slug")
    expected = [in_json(scripts_api.script_out(script).model_dump()) for script in scripts]
    found = [in_json(scripts_api.row_out(row)) for row in script_rows.rows(Script.objects.all())]
    assert found == expected


def test_rows_are_chosen_by_one_statement() -> None:
    script = make_script("A")
    first, _, third = [make_run(script) for _ in range(3)]
    chosen = Run.objects.filter(script=script).exclude(pk=third.pk).order_by("pk")[:1]
    run_rows.rows(chosen)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert [row.pk for row in run_rows.rows(chosen)] == [first.pk]
    assert len(queries) == 1


def test_of_no_rows_nothing_is_asked() -> None:
    assert run_rows.rows(Run.objects.filter(pk__in=[])) == []
