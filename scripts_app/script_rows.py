"""Scripts as a list in JSON shows them: plain values. As rows of the model, with what they refer to, they take three
times as long to make.
"""

from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import QuerySet

from scripts_app.models import Script


class ScriptRow(NamedTuple):
    """The columns of a script, and of what it refers to, that a list in JSON shows."""

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
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
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


def rows(scripts: QuerySet[Script]) -> list[ScriptRow]:
    return [ScriptRow._make(values) for values in scripts.values_list(*ScriptRow._fields)]
