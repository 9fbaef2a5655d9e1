"""The limits of runs: each with a description, the default for a new script, and the bound that an admin sets."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.conf import settings

from scripts_app.models import Script
from scripts_app.validation import ScriptError
from tempo_site.stored_settings import limits as section
from tempo_site.stored_settings import store


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A limit: a field of Script, words for people, and the settings that hold default and bound."""

    field: str
    label: str
    unit: str
    description: str  # the limit, and what happens to a run that reaches it
    default: str = ""  # a setting's attribute; without one the model's default counts
    default_variable: str = ""
    bound: str = ""
    variable: str = ""  # of the bound, as an admin writes it
    is_optional: bool = False  # 0 = no limit
    minimum: int = 0
    presets: Sequence[int] = ()  # values that are offered

    @property
    def offered(self) -> list[int]:
        """Return the presets that the bound allows."""
        return [value for value in self.presets if not self.exceeds(value)]

    @property
    def help(self) -> str:
        if self.maximum:
            return f"{self.description} At most {self.maximum:,} {self.unit} on this server."
        if self.is_optional:
            return f"{self.description} 0 = no limit."
        return self.description

    @property
    def maximum(self) -> int:
        if self.bound:
            return store.number(self.variable)
        return 0  # unbounded

    def exceeds(self, value: int) -> bool:
        return self.is_above(value, self.maximum)

    def is_above(self, value: int, maximum: int) -> bool:
        """Whether a value is above a bound, of which 0 is none."""
        if not maximum:
            return False
        has_no_limit = self.is_optional and value == 0
        return value > maximum or has_no_limit

    def within(self, value: int) -> int:
        maximum = self.maximum
        if self.is_above(value, maximum):
            return maximum
        return value

    def check(self, value: int) -> None:
        """Raise ScriptError for a value above the bound."""
        if not self.exceeds(value):
            return
        raise ScriptError(
            f"`{self.field}`: {self._describe(value)} is more than this server allows, "
            f"{self._describe(self.maximum)}.\n"
            f"hint: use {self.maximum} or less, or have an admin raise `{self.variable}`",
            field=self.field,
        )

    def describe_lowered(self, value: int) -> str:
        stored = self._describe(value)
        return f"{self.label}: {stored} is stored, its runs get {self._describe(self.maximum)}."

    def _describe(self, value: int) -> str:
        if value == 0:
            return "no limit"
        return f"{value:,} {self.unit}"


LIMITS = {
    limit.field: limit
    for limit in (
        Limit(
            field="timeout_s",
            label="Time",
            unit="seconds",
            description=(
                "Seconds a run may take. Then it is asked to end, after a while made to, and counts as timed out."
            ),
            default="DEFAULT_TIMEOUT_S",
            default_variable="PYSCHED_DEFAULT_SCRIPT_TIMEOUT",
            bound="MAX_TIMEOUT_S",
            variable="PYSCHED_MAX_SCRIPT_TIMEOUT",
            presets=section.TIME_PRESETS,
            is_optional=True,
        ),
        Limit(
            field="memory_mb",
            label="Memory",
            unit="MB",
            description="Megabytes that a run with all its processes may hold. One that takes more is ended and fails.",
            default="DEFAULT_MEMORY_MB",
            default_variable="PYSCHED_DEFAULT_MEMORY_LIMIT",
            bound="MAX_MEMORY_MB",
            variable="PYSCHED_MAX_MEMORY_LIMIT",
            presets=section.MEMORY_PRESETS,
            minimum=16,
        ),
        Limit(
            field="cpu_s",
            label="CPU time",
            unit="seconds",
            description=(
                "Seconds of computing, added up over all its processes; waiting does not count. Then it is ended."
            ),
            bound="MAX_CPU_S",
            variable="PYSCHED_MAX_CPU",
            presets=section.TIME_PRESETS,
            is_optional=True,
        ),
        Limit(
            field="processes",
            label="Processes",
            unit="processes",
            description=(
                "How many processes and threads a run may have at once. More cannot be started, or end the run."
            ),
            default="DEFAULT_PROCESSES",
            default_variable="PYSCHED_DEFAULT_PROCESSES",
            bound="MAX_PROCESSES",
            variable="PYSCHED_MAX_PROCESSES",
            presets=section.PROCESS_PRESETS,
            minimum=1,
        ),
        Limit(
            field="output_mb",
            label="Output",
            unit="MB",
            description=(
                "Megabytes of output that are kept: the beginning, and the last 256 KB behind one marked gap. The run "
                "goes on, slower; one that never stops writing is ended."
            ),
            default="DEFAULT_OUTPUT_MB",
            default_variable="PYSCHED_DEFAULT_OUTPUT_LIMIT",
            bound="MAX_OUTPUT_MB",
            variable="PYSCHED_MAX_OUTPUT_LIMIT",
            presets=section.OUTPUT_PRESETS,
            minimum=1,
        ),
        Limit(
            field="file_mb",
            label="Size of a file",
            unit="MB",
            description=(
                "Megabytes a file may have that a run writes. Beyond it the script gets an error, `File too large`."
            ),
            default="DEFAULT_FILE_MB",
            default_variable="PYSCHED_DEFAULT_FILE_SIZE_LIMIT",
            bound="MAX_FILE_MB",
            variable="PYSCHED_MAX_FILE_SIZE_LIMIT",
            presets=section.FILE_PRESETS,
            is_optional=True,
        ),
        Limit(
            field="nice",
            label="Niceness",
            unit="",
            description="0 to 19: the higher, the more it lets others go first when the machine is busy.",
            default="DEFAULT_NICE",
        ),
    )
}


def default_limits() -> dict[str, int]:
    values = {}
    for field, limit in LIMITS.items():
        if limit.default_variable:
            values[field] = store.number(limit.default_variable)
        elif limit.default:
            values[field] = int(getattr(settings, limit.default))
        else:
            values[field] = limit.within(0)
    return values


def limits_of_script(script: Script) -> dict[str, int]:
    """Return the limits of a script's runs: the stored values, or else the bounds."""
    return {field: limit.within(getattr(script, field)) for field, limit in LIMITS.items()}


def lowered_limits(script: Script) -> Iterator[str]:
    for field, limit in LIMITS.items():
        value = getattr(script, field)
        if limit.exceeds(value):
            yield limit.describe_lowered(value)
