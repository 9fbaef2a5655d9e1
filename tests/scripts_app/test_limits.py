"""Limits of scripts: defaults for new ones, bounds for all."""

from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from scripts_app import limits, scripts
from scripts_app.limits import LIMITS
from scripts_app.models import Script
from tests.factories import make_script

pytestmark = pytest.mark.django_db


def change(script: Script, **changes: Any) -> Script:
    return scripts.update(script, by=None, now=timezone.now(), **changes)


@pytest.mark.parametrize("limit", [limit for limit in LIMITS.values() if limit.default])
def test_a_new_script_has_the_servers_default(settings: Settings, limit: limits.Limit) -> None:
    setattr(settings, limit.default, 17)
    assert getattr(make_script(), limit.field) == 17


def test_a_new_script_is_bounded_where_it_would_have_no_limit(settings: Settings) -> None:
    settings.MAX_CPU_S = 90
    assert make_script().cpu_s == 90


@pytest.mark.parametrize("limit", [limit for limit in LIMITS.values() if limit.bound])
def test_more_than_the_bound_is_refused_and_says_who_can_raise_it(
    settings: Settings, limit: limits.Limit
) -> None:
    script = make_script()
    setattr(settings, limit.bound, 20)
    with pytest.raises(scripts.ScriptError, match=limit.variable) as refused:
        change(script, **{limit.field: 21})
    assert refused.value.field == limit.field and "\nhint: use 20 or less" in str(refused.value)
    assert getattr(change(script, **{limit.field: 20}), limit.field) == 20


@pytest.mark.parametrize("field", ["timeout_s", "cpu_s", "file_mb"])
def test_no_limit_is_refused_only_where_there_is_a_bound(settings: Settings, field: str) -> None:
    script = change(make_script(), **{field: 0})
    setattr(settings, LIMITS[field].bound, 60)
    with pytest.raises(scripts.ScriptError, match="no limit is more than this server allows"):
        change(script, **{field: 0})


def test_what_was_stored_before_a_bound_runs_with_the_bound(settings: Settings) -> None:
    script = make_script(timeout_s=0, memory_mb=2000)
    settings.MAX_TIMEOUT_S, settings.MAX_MEMORY_MB = 60, 1000
    assert (
        limits.limits_of_script(script)["timeout_s"],
        limits.limits_of_script(script)["memory_mb"],
    ) == (60, 1000)
    assert list(limits.lowered_limits(script)) == [
        "Time: no limit is stored, its runs get 60 seconds.",
        "Memory: 2,000 MB is stored, its runs get 1,000 MB.",
    ]


def test_a_limit_above_its_bound_does_not_keep_others_from_being_changed(
    settings: Settings,
) -> None:
    script = make_script(timeout_s=600)
    settings.MAX_TIMEOUT_S = 60
    assert change(script, memory_mb=100, description="new").memory_mb == 100


def test_every_limit_is_a_field_and_says_what_it_means() -> None:
    fields = {field.name for field in Script._meta.get_fields()}
    assert LIMITS.keys() <= fields
    assert all(
        limit.description.endswith(".") and limit.help.startswith(limit.description)
        for limit in LIMITS.values()
    )
