"""System checks: what cannot be is named, with what to do."""

import pytest
from django.conf import LazySettings
from django.core.checks import Error, run_checks

from tempo_site import checks
from tempo_site.lib.variables import Variables


@pytest.mark.parametrize(("name", "variable", "least"), [(name, *rule) for name, rule in checks.AT_LEAST.items()])
def test_a_number_below_its_least_is_named_with_its_variable(
    settings: LazySettings, name: str, variable: str, least: int
) -> None:
    setattr(settings, name, least - 1)
    found = checks.numbers()
    assert [(error.id, error.hint) for error in found] == [("tempo.E001", f"Use {least} or more.")]
    assert variable in found[0].msg and str(least - 1) in found[0].msg


def test_a_number_at_its_least_is_fine(settings: LazySettings) -> None:
    for name, (_, least) in checks.AT_LEAST.items():
        setattr(settings, name, least)
    assert checks.numbers() == []


@pytest.mark.parametrize("zone", ["Mars/Base", "../etc/passwd", "/etc/localtime", "Europe"])
def test_an_unknown_time_zone_is_named(monkeypatch: pytest.MonkeyPatch, settings: LazySettings, zone: str) -> None:
    monkeypatch.setenv("PYSCHED_TIME_ZONE", zone)
    variables = Variables()
    assert variables.zone("PYSCHED_TIME_ZONE", default="UTC") == "UTC"
    settings.SETTINGS_PROBLEMS = variables.problems
    found = checks.unreadable()
    assert [error.id for error in found] == ["tempo.E002"]
    assert zone in found[0].msg


@pytest.mark.parametrize("pattern", ["https://tempo.example.org", "tempo.example.org:8000", "example.org/tempo", "a b"])
def test_a_pattern_that_is_no_host_name_is_named(settings: LazySettings, pattern: str) -> None:
    settings.HOST_PATTERNS = ["example.org", pattern]
    found = checks.host_patterns()
    assert [error.id for error in found] == ["tempo.E003"]
    assert pattern in found[0].msg and found[0].hint


@pytest.mark.parametrize("pattern", ["*", "example.org", ".example.org", "NAS", "192.168.1.5", "::1", "[::1]"])
def test_a_pattern_that_can_match_is_fine(settings: LazySettings, pattern: str) -> None:
    settings.HOST_PATTERNS = [pattern]
    assert checks.host_patterns() == []


def test_a_replaced_secret_key_is_a_warning_with_a_hint(settings: LazySettings) -> None:
    settings.SECRET_KEY_NOTICE = "It was ignored. hint: unset it"
    found = checks.secret_key()
    assert [(warning.id, warning.msg, warning.hint) for warning in found] == [
        ("tempo.W001", "It was ignored.", "unset it")
    ]


def test_every_check_is_registered(settings: LazySettings) -> None:
    settings.GRACE_S = -1
    settings.HOST_PATTERNS = ["a/b"]
    settings.SECRET_KEY_NOTICE = "Ignored. hint: unset it"
    ids = {message.id for message in run_checks()}
    assert {"tempo.E001", "tempo.E003", "tempo.W001"} <= ids


def test_the_defaults_are_free_of_errors() -> None:
    assert [message for message in run_checks() if isinstance(message, Error)] == []


@pytest.mark.parametrize(("name", "variable", "most"), [(name, *rule) for name, rule in checks.AT_MOST.items()])
def test_a_number_nobody_can_calculate_with_is_named(
    settings: LazySettings, name: str, variable: str, most: int
) -> None:
    setattr(settings, name, most + 1)
    found = checks.large_numbers()
    assert [(error.id, error.hint) for error in found] == [("tempo.E004", f"Use {most} or less.")]
    assert variable in found[0].msg
