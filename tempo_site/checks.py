"""System checks: impossible settings are named before the service starts, each with a hint."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.urls import URLResolver, get_resolver

from scripts_app.limits import LIMITS
from scripts_app.packages import interpreters
from tempo_site.lib import hosts, network_access
from tempo_site.stored_settings import fields
from tempo_site.stored_settings.registry import FIELDS

TAG = "tempo"  # `serve` asks for these alone: Django's own look at the code, which tests do
MIN_MEMORY_MB = 16
MAXIMA = {
    "KEEP_DAYS": ("PYSCHED_KEEP_DAYS", 36_500),
    "SESSION_DAYS": ("PYSCHED_SESSION_DAYS", 365),
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
    "SESSION_DAYS": ("PYSCHED_SESSION_DAYS", 1),
    "KEEP_RUNS": ("PYSCHED_KEEP_RUNS", 1),
    "KEEP_MB": ("PYSCHED_KEEP_MB", 1),
    "MIN_FREE_MB": ("PYSCHED_MIN_FREE_MB", 0),
    "MIN_FREE_PERCENT": ("PYSCHED_MIN_FREE_PERCENT", 0),
}


@register(TAG)
def small_numbers(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for name, (variable, minimum) in MINIMA.items():
        value = getattr(settings, name)
        if value < minimum:
            hint = f"Use {minimum} or more."
            found.append(Error(f"{variable} is {value}.", hint=hint, id="tempo.E001"))
    return found


@register(TAG)
def large_numbers(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for name, (variable, maximum) in MAXIMA.items():
        value = getattr(settings, name)
        if value > maximum:
            hint = f"Use {maximum} or less."
            found.append(Error(f"{variable} is {value}.", hint=hint, id="tempo.E004"))
    return found


@register(TAG)
def unreadable_values(**_: Any) -> list[CheckMessage]:
    return [
        Error(f"{variable} `{value}` cannot be used.", hint=hint, id="tempo.E002")
        for variable, value, hint in settings.SETTINGS_PROBLEMS
    ]


@register(TAG)
def defaults_above_bounds(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for limit in LIMITS.values():
        if not limit.default:
            continue
        value = getattr(settings, limit.default)
        bound = getattr(settings, limit.bound) if limit.bound else 0
        if limit.is_above(value, bound):
            sentence = (
                f"The default of new scripts, {value}, is more than {limit.variable} allows: "
                f"{bound}."
            )
            default_variable, _minimum = MINIMA[limit.default]
            hint = f"Lower {default_variable} to {bound} or less, or raise {limit.variable}."
            found.append(Error(sentence, hint=hint, id="tempo.E005"))
    return found


@register(TAG)
def small_memory_bound(**_: Any) -> list[CheckMessage]:
    bound_mb = settings.MAX_MEMORY_MB
    if bound_mb <= 0 or bound_mb >= MIN_MEMORY_MB:
        return []
    hint = f"Use {MIN_MEMORY_MB} or more, or 0 for no bound."
    return [Error(f"PYSCHED_MAX_MEMORY_LIMIT is {bound_mb}.", hint=hint, id="tempo.E001")]


@register(TAG)
def extra_paths(**_: Any) -> list[CheckMessage]:
    """Find paths for scripts that are not absolute."""
    return [
        *_not_absolute("PYSCHED_EXTRA_READ_PATHS", settings.EXTRA_READ_PATHS),
        *_not_absolute("PYSCHED_EXTRA_WRITE_PATHS", settings.EXTRA_WRITE_PATHS),
    ]


@register(TAG)
def base_path_is_free(**_: Any) -> list[CheckMessage]:
    """Find a base path that begins as addresses of Tempo do, which could then be read in two ways."""
    if not settings.BASE_PATH:
        return []
    word = settings.BASE_PATH.split("/")[1]
    if word not in first_words(get_resolver()):
        return []
    hint = "Choose another path, such as `/tempo`."
    said = (
        f"PYSCHED_BASE_PATH is `{settings.BASE_PATH}`, and addresses of Tempo begin with `/{word}`."
    )
    return [Error(said, hint=hint, id="tempo.E010")]


def first_words(resolver: URLResolver) -> set[str]:
    """Return the first parts of the addresses of all pages."""
    words = {"healthz", "static", "ws"}  # answered before the pages
    for pattern in resolver.url_patterns:
        text = str(pattern.pattern).lstrip("^")
        if not text and isinstance(pattern, URLResolver):
            words |= first_words(pattern)
        found = re.match("[a-z-]+", text)
        if found:
            words.add(found[0])
    return words


def _not_absolute(variable: str, paths: list[str]) -> Iterator[CheckMessage]:
    hint = "Give absolute paths, separated by commas: `/mnt/media,/srv/data`."
    for path in paths:
        if not path.startswith("/") or "\0" in path:
            yield Error(f"{variable}: `{path}` is not absolute.", hint=hint, id="tempo.E006")


@register(TAG)
def certificates(**_: Any) -> list[CheckMessage]:
    """Find certificates that the environment of Tempo names and that scripts would not find."""
    hint = "Correct the variable or mount the file: it is passed on to scripts and builds."
    return [
        Warning(f"{variable}: `{path}` is not there.", hint=hint, id="tempo.W003")
        for variable, path in network_access.certificates()
        if not Path(path).exists()
    ]


@register(TAG)
def python_places(**_: Any) -> list[CheckMessage]:
    hint = "Name a Python or a folder that holds one, or take it off the list."
    return [
        Warning(f"PYSCHED_PYTHON_PATHS: `{place}` {why}.", hint=hint, id="tempo.W004")
        for place, why in interpreters.unused_places()
    ]


@register(TAG)
def isolation_grade(**_: Any) -> list[CheckMessage]:
    grade = settings.REQUIRE_ISOLATION
    if grade in ("", "good", "strong"):
        return []
    hint = "Use `good` or `strong`, or leave it empty."
    return [Error(f"PYSCHED_REQUIRE_ISOLATION is `{grade}`.", hint=hint, id="tempo.E007")]


@register(TAG)
def users_of_scripts(**_: Any) -> list[CheckMessage]:
    hint = "Choose another number, or another pool with PYSCHED_SCRIPT_USERS."
    found: list[CheckMessage] = []
    for variable, number in (("PYSCHED_PUID", settings.PUID), ("PYSCHED_PGID", settings.PGID)):
        if number is not None and number in settings.SCRIPT_USERS:
            sentence = f"{variable} {number} is among the users of scripts."
            found.append(Error(sentence, hint=hint, id="tempo.E008"))
    return found


@register(TAG)
def host_patterns(**_: Any) -> list[CheckMessage]:
    hint = (
        "Give host names without scheme, port or path: `tempo.example.org`, `.example.org` or `*`."
    )
    found: list[CheckMessage] = []
    for pattern in settings.HOST_PATTERNS:
        if "/" in pattern or hosts.name_of(pattern) != pattern.lower().strip("[]"):
            sentence = f"PYSCHED_ALLOWED_HOSTS: `{pattern}` is no host name."
            found.append(Error(sentence, hint=hint, id="tempo.E003"))
    return found


@register(TAG)
def stored_settings(**_: Any) -> list[CheckMessage]:
    """Find values of the environment that the page of settings would refuse."""
    found: list[CheckMessage] = []
    for field in FIELDS.values():
        if not field.is_from_environment or field.is_secret:
            continue
        try:
            fields.checked(field, field.base_value)
        except fields.SettingRefused as refusal:
            sentence, _separator, hint = str(refusal).partition("\nhint: ")
            found.append(Error(f"{field.name}: {sentence}.", hint=hint or None, id="tempo.E009"))
    return found


@register(TAG)
def notices(**_: Any) -> list[CheckMessage]:
    """Find a stored time zone that cannot be used any more, and a secret key that was replaced by a generated key."""
    found: list[CheckMessage] = []
    for notice, code in (
        (settings.TIME_ZONE_NOTICE, "tempo.W002"),
        (settings.SECRET_KEY_NOTICE, "tempo.W001"),
    ):
        if notice:
            sentence, _separator, hint = notice.partition(" hint: ")
            found.append(Warning(sentence, hint=hint, id=code))
    return found
