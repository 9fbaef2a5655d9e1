"""System checks: what cannot be is named, with what to do."""

from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.checks import Error, run_checks

from scripts_app.limits import LIMITS, Limit
from tempo_site import checks
from tempo_site.lib import network_access
from tempo_site.lib.env import Env
from tempo_site.management.commands import serve


@pytest.mark.parametrize(
    ("name", "variable", "least"), [(name, *rule) for name, rule in checks.MINIMA.items()]
)
def test_a_number_below_its_least_is_named_with_its_variable(
    settings: LazySettings, name: str, variable: str, least: int
) -> None:
    setattr(settings, name, least - 1)
    found = checks.small_numbers()
    assert [(error.id, error.hint) for error in found] == [("tempo.E001", f"Use {least} or more.")]
    assert variable in found[0].msg and str(least - 1) in found[0].msg


def test_a_number_at_its_least_is_fine(settings: LazySettings) -> None:
    for name, (_, least) in checks.MINIMA.items():
        setattr(settings, name, least)
    assert checks.small_numbers() == []


@pytest.mark.parametrize("zone", ["Mars/Base", "../etc/passwd", "/etc/localtime", "Europe"])
def test_an_unknown_time_zone_is_named(
    monkeypatch: pytest.MonkeyPatch, settings: LazySettings, zone: str
) -> None:
    monkeypatch.setenv("PYSCHED_TIME_ZONE", zone)
    variables = Env()
    assert variables.zone("PYSCHED_TIME_ZONE", default="UTC") == "UTC"
    settings.SETTINGS_PROBLEMS = variables.problems
    found = checks.unreadable_values()
    assert [error.id for error in found] == ["tempo.E002"]
    assert zone in found[0].msg


@pytest.mark.parametrize(
    "pattern", ["https://tempo.example.org", "tempo.example.org:8000", "example.org/tempo", "a b"]
)
def test_a_pattern_that_is_no_host_name_is_named(settings: LazySettings, pattern: str) -> None:
    settings.HOST_PATTERNS = ["example.org", pattern]
    found = checks.host_patterns()
    assert [error.id for error in found] == ["tempo.E003"]
    assert pattern in found[0].msg and found[0].hint


@pytest.mark.parametrize(
    "pattern", ["*", "example.org", ".example.org", "NAS", "192.168.1.5", "::1", "[::1]"]
)
def test_a_pattern_that_can_match_is_fine(settings: LazySettings, pattern: str) -> None:
    settings.HOST_PATTERNS = [pattern]
    assert checks.host_patterns() == []


@pytest.mark.parametrize(("variable", "name"), [("PYSCHED_PUID", "PUID"), ("PYSCHED_PGID", "PGID")])
def test_tempos_own_user_and_group_are_none_of_the_scripts(
    settings: LazySettings, variable: str, name: str
) -> None:
    setattr(settings, name, settings.SCRIPT_USERS[0])
    found = checks.users_of_scripts()
    assert [error.id for error in found] == ["tempo.E008"]
    assert variable in found[0].msg and "PYSCHED_SCRIPT_USERS" in str(found[0].hint)


@pytest.mark.parametrize(("value", "number"), [("0", 0), ("1000", 1000), (" 99 ", 99), ("", None)])
def test_a_user_is_read_as_a_number(
    monkeypatch: pytest.MonkeyPatch, value: str, number: int | None
) -> None:
    monkeypatch.setenv("PYSCHED_PUID", value)
    variables = Env()
    assert (variables.user("PYSCHED_PUID", default=""), variables.problems) == (number, [])


@pytest.mark.parametrize("value", ["ann", "-1", "1000:1000", "4294967295"])
def test_a_user_that_is_no_number_is_named(
    monkeypatch: pytest.MonkeyPatch, settings: LazySettings, value: str
) -> None:
    monkeypatch.setenv("PYSCHED_PUID", value)
    variables = Env()
    assert variables.user("PYSCHED_PUID", default="") is None
    settings.SETTINGS_PROBLEMS = variables.problems
    assert [value in error.msg and error.id for error in checks.unreadable_values()] == [
        "tempo.E002"
    ]


def test_a_replaced_secret_key_is_a_warning_with_a_hint(settings: LazySettings) -> None:
    settings.SECRET_KEY_NOTICE = "It was ignored. hint: unset it"
    found = checks.notices()
    assert [(warning.id, warning.msg, warning.hint) for warning in found] == [
        ("tempo.W001", "It was ignored.", "unset it")
    ]


def test_every_check_is_registered(settings: LazySettings) -> None:
    settings.STOP_GRACE_S = -1
    settings.MAX_TIMEOUT_S = 1
    settings.EXTRA_READ_PATHS = ["media"]
    settings.REQUIRE_ISOLATION = "perfect"
    settings.HOST_PATTERNS = ["a/b"]
    settings.SECRET_KEY_NOTICE = "Ignored. hint: unset it"
    ids = {message.id for message in run_checks(tags=serve.Command.requires_system_checks)}
    assert {
        "tempo.E001",
        "tempo.E003",
        "tempo.E005",
        "tempo.E006",
        "tempo.E007",
        "tempo.W001",
    } <= ids


def test_the_defaults_are_free_of_errors() -> None:
    assert [
        message
        for message in run_checks()
        if isinstance(message, Error) and not message.is_silenced()
    ] == []


@pytest.mark.parametrize(
    ("name", "variable", "most"), [(name, *rule) for name, rule in checks.MAXIMA.items()]
)
def test_a_number_nobody_can_calculate_with_is_named(
    settings: LazySettings, name: str, variable: str, most: int
) -> None:
    setattr(settings, name, most + 1)
    found = checks.large_numbers()
    assert [(error.id, error.hint) for error in found] == [("tempo.E004", f"Use {most} or less.")]
    assert variable in found[0].msg


@pytest.mark.parametrize(
    "limit", [limit for limit in LIMITS.values() if limit.default and limit.bound]
)
def test_a_default_above_its_bound_is_named_with_both(settings: LazySettings, limit: Limit) -> None:
    setattr(settings, limit.default, 100)
    setattr(settings, limit.bound, 99)
    found = checks.defaults_above_bounds()
    assert [error.id for error in found] == ["tempo.E005"]
    assert limit.variable in found[0].msg and str(found[0].hint).startswith("Lower PYSCHED_")


def test_no_limit_by_default_is_above_any_bound(settings: LazySettings) -> None:
    settings.DEFAULT_TIMEOUT_S, settings.MAX_TIMEOUT_S = 0, 3600
    assert [error.id for error in checks.defaults_above_bounds()] == ["tempo.E005"]


def test_a_bound_in_which_no_python_starts_is_named(settings: LazySettings) -> None:
    settings.MAX_MEMORY_MB = 15
    assert [error.id for error in checks.small_memory_bound()] == ["tempo.E001"]


@pytest.mark.parametrize("name", ["EXTRA_READ_PATHS", "EXTRA_WRITE_PATHS"])
def test_a_relative_path_for_scripts_is_named(settings: LazySettings, name: str) -> None:
    setattr(settings, name, ["/srv/data", "exports"])
    found = checks.extra_paths()
    assert [error.id for error in found] == ["tempo.E006"]
    assert f"PYSCHED_{name}" in found[0].msg and "`exports`" in found[0].msg


def test_a_place_without_a_python_is_named(settings: LazySettings) -> None:
    settings.PYTHON_PATHS = ["/nowhere"]
    found = checks.python_places()
    assert [(warning.id, warning.msg) for warning in found] == [
        ("tempo.W004", "PYSCHED_PYTHON_PATHS: `/nowhere` is not there.")
    ]


def test_a_certificate_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in network_access.NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", f"{tmp_path}:{tmp_path}/gone")
    found = checks.certificates()
    assert [(warning.id, warning.msg) for warning in found] == [
        ("tempo.W003", f"SSL_CERT_DIR: `{tmp_path}/gone` is not there.")
    ]


@pytest.mark.parametrize("grade", ["", "good", "strong"])
def test_a_grade_of_isolation_can_be_required(settings: LazySettings, grade: str) -> None:
    settings.REQUIRE_ISOLATION = grade
    assert checks.isolation_grade() == []


@pytest.mark.parametrize(
    "pool", ["root", "0-100", "999-2000", "60000-50000", "1000-2000000", "5-", "50000"]
)
def test_a_pool_of_users_that_cannot_be_is_named(
    monkeypatch: pytest.MonkeyPatch, settings: LazySettings, pool: str
) -> None:
    monkeypatch.setenv("PYSCHED_SCRIPT_USERS", pool)
    variables = Env()
    assert variables.users("PYSCHED_SCRIPT_USERS", default="50000-59999") == range(50000, 60000)
    settings.SETTINGS_PROBLEMS = variables.problems
    found = checks.unreadable_values()
    assert [error.id for error in found] == ["tempo.E002"]
    assert f"`{pool}`" in found[0].msg
