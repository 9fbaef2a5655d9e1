"""Scripts as JSON shows them: plain values."""

from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import QuerySet

from scripts_app.models import Script
from tempo_site.lib.sqlite.plain_rows import PlainRows


class ScriptRow(NamedTuple):
    """The columns of a script, and of what it refers to, that JSON shows; in lists moments are as the API has them."""

    slug: str
    name: str
    folder__path: str | None
    description: str
    tags: list[str]
    enabled: bool
    revision: int
    timeout_s: int
    memory_mb: int
    cpu_s: int
    processes: int
    output_mb: int
    file_mb: int
    nice: int
    as_service_user: bool
    allow_source: bool
    one_at_a_time: bool
    parameters: list[dict[str, Any]]
    created_at: str | datetime
    updated_at: str | datetime
    deleted_at: str | datetime | None
    version__number: int | None
    version__code: str | None
    version__requirements: str | None
    version__python_version: str | None
    version__parameters: list[dict[str, Any]] | None
    environment_id: int | None
    environment__state: str | None
    environment__python: str | None
    environment__message: str | None
    wanted_environment_id: int | None
    wanted_environment__state: str | None
    wanted_environment__python: str | None
    wanted_environment__message: str | None
    url_trigger__enabled: bool | None
    url_trigger__allow_get: bool | None
    url_trigger__allow_query_key: bool | None

    @property
    def declared(self) -> list[dict[str, Any]]:
        """The parameters in force, as those of a `Script`."""
        return self.parameters if self.version__parameters is None else self.version__parameters


_ROWS = PlainRows(Script, ScriptRow)


def rows(scripts: QuerySet[Script]) -> list[ScriptRow]:
    """Return the rows of scripts, by slug."""
    return _ROWS.rows(scripts, order_by="slug")


def row_of(script: Script) -> ScriptRow:
    return ScriptRow._make(_value(script, name) for name in ScriptRow._fields)


def _value(script: Script, name: str) -> Any:
    value: Any = script
    for part in name.split("__"):
        value = getattr(value, part, None)
    return value
