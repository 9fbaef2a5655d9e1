"""System checks: impossible settings are named before anything starts, with what to do."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from scripts_app.limits import LIMITS
from tempo_site.lib import hosts

MIN_MEMORY_MB = 16
MAXIMA = {
    "KEEP_DAYS": ("PYSCHED_KEEP_DAYS", 36_500),
    "SHUTDOWN_GRACE_S": ("PYSCHED_SHUTDOWN_GRACE", 3600),
    "STOP_GRACE_S": ("PYSCHED_GRACE", 3600),
    "DEFAULT_TIMEOUT_S": ("PYSCHED_DEFAULT_SCRIPT_TIMEOUT", 30 * 86_400),
    "DEFAULT_MEMORY_MB": ("PYSCHED_DEFAULT_MEMORY_LIMIT", 2**20),
    "DEFAULT_PROCESSES": ("PYSCHED_DEFAULT_PROCESSES", 2**31 - 1),
    "DEFAULT_OUTPUT_MB": ("PYSCHED_DEFAULT_OUTPUT_LIMIT", 2**20),
    "DEFAULT_FILE_MB": ("PYSCHED_DEFAULT_FILE_SIZE_LIMIT", 2**20),
    "DEFAULT_NICE": ("PYSCHED_NICE", 19),
    "OUTPUT_KILL_MB": ("PYSCHED_OUTPUT_KILL", 2**20),
    "MAX_UPLOAD_MB": ("PYSCHED_MAX_UPLOAD_MB", 2**20),
    "OPEN_FILES": ("PYSCHED_OPEN_FILES", 2**20),
    "MIN_FREE_PERCENT": ("PYSCHED_MIN_FREE_PERCENT", 90),
}
MINIMA = {
    "DEFAULT_TIMEOUT_S": ("PYSCHED_DEFAULT_SCRIPT_TIMEOUT", 0),
    "DEFAULT_MEMORY_MB": ("PYSCHED_DEFAULT_MEMORY_LIMIT", MIN_MEMORY_MB),
    "DEFAULT_PROCESSES": ("PYSCHED_DEFAULT_PROCESSES", 1),
    "DEFAULT_OUTPUT_MB": ("PYSCHED_DEFAULT_OUTPUT_LIMIT", 1),
    "DEFAULT_FILE_MB": ("PYSCHED_DEFAULT_FILE_SIZE_LIMIT", 0),
    "DEFAULT_NICE": ("PYSCHED_NICE", 0),
    **{limit.bound: (limit.variable, 0) for limit in LIMITS.values() if limit.bound},
    "OUTPUT_KILL_MB": ("PYSCHED_OUTPUT_KILL", 0),
    "MAX_UPLOAD_MB": ("PYSCHED_MAX_UPLOAD_MB", 1),
    "OPEN_FILES": ("PYSCHED_OPEN_FILES", 0),
    "MAX_CONCURRENT_RUNS": ("PYSCHED_MAX_CONCURRENT_RUNS", 1),
    "STOP_GRACE_S": ("PYSCHED_GRACE", 0),
    "SHUTDOWN_GRACE_S": ("PYSCHED_SHUTDOWN_GRACE", 0),
    "BUILD_TIMEOUT_S": ("PYSCHED_BUILD_TIMEOUT", 10),
    "KEEP_DAYS": ("PYSCHED_KEEP_DAYS", 1),
    "KEEP_RUNS": ("PYSCHED_KEEP_RUNS", 1),
    "KEEP_MB": ("PYSCHED_KEEP_MB", 1),
    "MIN_FREE_MB": ("PYSCHED_MIN_FREE_MB", 0),
    "MIN_FREE_PERCENT": ("PYSCHED_MIN_FREE_PERCENT", 0),
}


@register
def numbers(**_: Any) -> list[CheckMessage]:
    """Numbers below what makes sense."""
    return [
        Error(
            f"{variable} is {getattr(settings, name)}.",
            hint=f"Use {least} or more.",
            id="tempo.E001",
        )
        for name, (variable, least) in MINIMA.items()
        if getattr(settings, name) < least
    ]


@register
def large_numbers(**_: Any) -> list[CheckMessage]:
    """Numbers beyond what can be calculated with."""
    return [
        Error(
            f"{variable} is {getattr(settings, name)}.",
            hint=f"Use {most} or less.",
            id="tempo.E004",
        )
        for name, (variable, most) in MAXIMA.items()
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
def defaults_above_bounds(**_: Any) -> list[CheckMessage]:
    """Limits of new scripts that no script may have."""
    return [
        Error(
            f"The default of new scripts, {getattr(settings, limit.default)}, is more than {limit.variable} allows: "
            f"{limit.most}.",
            hint=f"Lower {_variable_of(limit.default)} to {limit.most} or less, or raise {limit.variable}.",
            id="tempo.E005",
        )
        for limit in LIMITS.values()
        if limit.default and limit.exceeds(getattr(settings, limit.default))
    ]


def _variable_of(name: str) -> str:
    return MINIMA[name][0]


@register
def small_bounds(**_: Any) -> list[CheckMessage]:
    """A bound on memory in which no Python starts."""
    if 0 < settings.MAX_MEMORY_MB < MIN_MEMORY_MB:
        hint = f"Use {MIN_MEMORY_MB} or more, or 0 for no bound."
        return [
            Error(
                f"PYSCHED_MAX_MEMORY_LIMIT is {settings.MAX_MEMORY_MB}.", hint=hint, id="tempo.E001"
            )
        ]
    return []


@register
def extra_paths(**_: Any) -> list[CheckMessage]:
    """Paths for scripts that could mean anything."""
    lists = {
        "PYSCHED_EXTRA_READ_PATHS": settings.EXTRA_READ_PATHS,
        "PYSCHED_EXTRA_WRITE_PATHS": settings.EXTRA_WRITE_PATHS,
    }
    hint = "Give absolute paths, separated by commas: `/mnt/media,/srv/data`."
    return [
        Error(f"{variable}: `{path}` is not absolute.", hint=hint, id="tempo.E006")
        for variable, paths in lists.items()
        for path in paths
        if not path.startswith("/") or "\0" in path
    ]


@register
def isolation(**_: Any) -> list[CheckMessage]:
    """A grade of isolation that there is not."""
    grades = ("", "good", "strong")
    if settings.REQUIRE_ISOLATION in grades:
        return []
    hint = "Use `good` or `strong`, or leave it empty."
    return [
        Error(
            f"PYSCHED_REQUIRE_ISOLATION is `{settings.REQUIRE_ISOLATION}`.",
            hint=hint,
            id="tempo.E007",
        )
    ]


@register
def users(**_: Any) -> list[CheckMessage]:
    """Tempo's own user or group among those that scripts get."""
    hint = "Choose another number, or another pool with PYSCHED_SCRIPT_USERS."
    return [
        Error(f"{variable} {number} is among the users of scripts.", hint=hint, id="tempo.E008")
        for variable, number in (("PYSCHED_PUID", settings.PUID), ("PYSCHED_PGID", settings.PGID))
        if number is not None and number in settings.SCRIPT_USERS
    ]


@register
def host_patterns(**_: Any) -> list[CheckMessage]:
    """Patterns that can match nothing."""
    wrong = [
        item
        for item in settings.HOST_PATTERNS
        if "/" in item or hosts.name_of(item) != item.lower().strip("[]")
    ]
    hint = (
        "Give host names without scheme, port or path: `tempo.example.org`, `.example.org` or `*`."
    )
    return [
        Error(f"PYSCHED_ALLOWED_HOSTS: `{item}` is no host name.", hint=hint, id="tempo.E003")
        for item in wrong
    ]


@register
def time_zone(**_: Any) -> list[CheckMessage]:
    """A stored zone that cannot be used any more."""
    return [_warning(settings.TIME_ZONE_NOTICE, "tempo.W002")] if settings.TIME_ZONE_NOTICE else []


@register
def secret_key(**_: Any) -> list[CheckMessage]:
    """A sample or short key, which was replaced by a generated one."""
    return (
        [_warning(settings.SECRET_KEY_NOTICE, "tempo.W001")] if settings.SECRET_KEY_NOTICE else []
    )


def _warning(notice: str, code: str) -> CheckMessage:
    text, _separator, hint = notice.partition(" hint: ")
    return Warning(text, hint=hint, id=code)
