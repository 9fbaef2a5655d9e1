"""What a run may use: each limit with what it means, its default for a new script, and the bound that an admin sets."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings

from scripts_app.models import Script
from scripts_app.validation import ScriptError


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A limit: a field of Script, its words for people, the settings that hold its default and its bound."""

    field: str
    label: str
    unit: str
    means: str  # one sentence or two: what it is, and what happens when it is reached
    default: str = ""  # a setting's name; without one the model's default counts
    bound: str = ""
    variable: str = ""  # the bound's, as an admin writes it
    is_optional: bool = False  # 0 = no limit
    least: int = 0

    @property
    def help(self) -> str:
        if self.most:
            return f"{self.means} At most {self.most:,} {self.unit} on this server."
        if self.is_optional:
            return f"{self.means} 0 = no limit."
        return self.means

    @property
    def most(self) -> int:
        if self.bound:
            return int(getattr(settings, self.bound))
        return 0

    def exceeds(self, value: int) -> bool:
        return bool(self.most) and (value > self.most or (self.is_optional and value == 0))

    def within(self, value: int) -> int:
        if self.exceeds(value):
            return self.most
        return value

    def check(self, value: int) -> None:
        """Raise ScriptError for a value above the bound."""
        if not self.exceeds(value):
            return
        what = f"{value:,} {self.unit}" if value else "no limit"
        raise ScriptError(
            f"`{self.field}`: {what} is more than this server allows, {self.most:,} {self.unit}.\n"
            f"hint: use {self.most} or less, or have an admin raise `{self.variable}`",
            field=self.field,
        )


LIMITS = {
    limit.field: limit
    for limit in (
        Limit(
            field="timeout_s",
            label="Time",
            unit="seconds",
            means="Seconds a run may take. Then it is asked to end, after a while made to, and counts as timed out.",
            default="DEFAULT_TIMEOUT_S",
            bound="MAX_TIMEOUT_S",
            variable="PYSCHED_MAX_SCRIPT_TIMEOUT",
            is_optional=True,
        ),
        Limit(
            field="memory_mb",
            label="Memory",
            unit="MB",
            means="Megabytes that a run with all its processes may hold. One that takes more is ended and fails.",
            default="DEFAULT_MEMORY_MB",
            bound="MAX_MEMORY_MB",
            variable="PYSCHED_MAX_MEMORY_LIMIT",
            least=16,
        ),
        Limit(
            field="cpu_s",
            label="CPU time",
            unit="seconds",
            means="Seconds of computing, added up over all its processes; waiting does not count. Then it is ended.",
            bound="MAX_CPU_S",
            variable="PYSCHED_MAX_CPU",
            is_optional=True,
        ),
        Limit(
            field="processes",
            label="Processes",
            unit="processes",
            means="How many processes and threads a run may have at once. More cannot be started, or end the run.",
            default="DEFAULT_PROCESSES",
            bound="MAX_PROCESSES",
            variable="PYSCHED_MAX_PROCESSES",
            least=1,
        ),
        Limit(
            field="output_mb",
            label="Output",
            unit="MB",
            means=(
                "Megabytes of output that are kept: the beginning, and the last 256 KB behind one marked gap. The run "
                "goes on, slower; one that never stops writing is ended."
            ),
            default="DEFAULT_OUTPUT_MB",
            bound="MAX_OUTPUT_MB",
            variable="PYSCHED_MAX_OUTPUT_LIMIT",
            least=1,
        ),
        Limit(
            field="file_mb",
            label="Size of a file",
            unit="MB",
            means="Megabytes a file may have that a run writes. Beyond it the script gets an error, `File too large`.",
            default="DEFAULT_FILE_MB",
            bound="MAX_FILE_MB",
            variable="PYSCHED_MAX_FILE_SIZE_LIMIT",
            is_optional=True,
        ),
        Limit(
            field="nice",
            label="Niceness",
            unit="",
            means="0 to 19: the higher, the more it lets others go first when the machine is busy.",
            default="DEFAULT_NICE",
        ),
    )
}


def default_limits() -> dict[str, int]:
    return {
        field: int(getattr(settings, limit.default))
        for field, limit in LIMITS.items()
        if limit.default
    } | {field: limit.within(0) for field, limit in LIMITS.items() if not limit.default}


def limits_of_script(script: Script) -> dict[str, int]:
    """What a run of a script gets: what is stored, or else the bound."""
    return {field: limit.within(getattr(script, field)) for field, limit in LIMITS.items()}


def lowered_limits(script: Script) -> Iterator[str]:
    for field, limit in LIMITS.items():
        if limit.exceeds(value := getattr(script, field)):
            stored = f"{value:,} {limit.unit}" if value else "no limit"
            yield f"{limit.label}: {stored} is stored, its runs get {limit.most:,} {limit.unit}."
