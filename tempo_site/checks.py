"""System checks: impossible settings are named before anything starts, with what to do."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from tempo_site.lib import hosts

AT_MOST = {
    "KEEP_DAYS": ("PYSCHED_KEEP_DAYS", 36_500),
    "SHUTDOWN_GRACE_S": ("PYSCHED_SHUTDOWN_GRACE", 3600),
    "GRACE_S": ("PYSCHED_GRACE", 3600),
}
AT_LEAST = {
    "DEFAULT_TIMEOUT_S": ("PYSCHED_DEFAULT_SCRIPT_TIMEOUT", 0),
    "DEFAULT_MEMORY_MB": ("PYSCHED_DEFAULT_MEMORY_LIMIT", 16),
    "MAX_CONCURRENT_RUNS": ("PYSCHED_MAX_CONCURRENT_RUNS", 1),
    "GRACE_S": ("PYSCHED_GRACE", 0),
    "SHUTDOWN_GRACE_S": ("PYSCHED_SHUTDOWN_GRACE", 0),
    "BUILD_TIMEOUT_S": ("PYSCHED_BUILD_TIMEOUT", 10),
    "KEEP_DAYS": ("PYSCHED_KEEP_DAYS", 1),
    "KEEP_RUNS": ("PYSCHED_KEEP_RUNS", 1),
    "KEEP_MB": ("PYSCHED_KEEP_MB", 1),
    "MIN_FREE_MB": ("PYSCHED_MIN_FREE_MB", 0),
}


@register
def numbers(**_: Any) -> list[CheckMessage]:
    """Numbers below what makes sense."""
    return [
        Error(f"{variable} is {getattr(settings, name)}.", hint=f"Use {least} or more.", id="tempo.E001")
        for name, (variable, least) in AT_LEAST.items()
        if getattr(settings, name) < least
    ]


@register
def large_numbers(**_: Any) -> list[CheckMessage]:
    """Numbers beyond what can be calculated with."""
    return [
        Error(f"{variable} is {getattr(settings, name)}.", hint=f"Use {most} or less.", id="tempo.E004")
        for name, (variable, most) in AT_MOST.items()
        if getattr(settings, name) > most
    ]


@register
def unreadable(**_: Any) -> list[CheckMessage]:
    """Values that are no number, no zone."""
    return [
        Error(f"{variable} `{value}` cannot be used.", hint=hint, id="tempo.E002")
        for variable, value, hint in settings.SETTINGS_PROBLEMS
    ]


@register
def host_patterns(**_: Any) -> list[CheckMessage]:
    """Patterns that can match nothing."""
    wrong = [item for item in settings.HOST_PATTERNS if "/" in item or hosts.name_of(item) != item.lower().strip("[]")]
    hint = "Give host names without scheme, port or path: `tempo.example.org`, `.example.org` or `*`."
    return [Error(f"PYSCHED_ALLOWED_HOSTS: `{item}` is no host name.", hint=hint, id="tempo.E003") for item in wrong]


@register
def time_zone(**_: Any) -> list[CheckMessage]:
    """A stored zone that cannot be used any more."""
    return [_warning(settings.TIME_ZONE_NOTICE, "tempo.W002")] if settings.TIME_ZONE_NOTICE else []


@register
def secret_key(**_: Any) -> list[CheckMessage]:
    """A sample or short key, which was replaced by a generated one."""
    return [_warning(settings.SECRET_KEY_NOTICE, "tempo.W001")] if settings.SECRET_KEY_NOTICE else []


def _warning(notice: str, code: str) -> CheckMessage:
    text, _separator, hint = notice.partition(" hint: ")
    return Warning(text, hint=hint, id=code)
