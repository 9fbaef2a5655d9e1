"""The section for limits: how many runs at once, and what a new script's runs may use by default and at the highest."""

from tempo_site.stored_settings.fields import FieldKind, Section, SettingField

RUNS_AT_ONCE, QUEUED_RUNS = "PYSCHED_MAX_CONCURRENT_RUNS", "PYSCHED_MAX_QUEUED_RUNS"
TIME_PRESETS, MEMORY_PRESETS = (60, 300, 900, 3600, 21_600), (128, 256, 512, 1024, 2048)
PROCESS_PRESETS, OUTPUT_PRESETS, FILE_PRESETS = (16, 64, 256), (1, 10, 100), (100, 1024, 10_240)


def _default(
    name: str, attribute: str, label: str, unit: str, *presets: int, minimum: int = 0
) -> SettingField:
    return SettingField(
        name=name,
        attribute=attribute,
        kind=FieldKind.NUMBER,
        label=f"{label}, default",
        unit=unit,
        minimum=minimum,
        presets=presets,
    )


def _bound(name: str, attribute: str, label: str, unit: str, *presets: int) -> SettingField:
    return SettingField(
        name=name,
        attribute=attribute,
        kind=FieldKind.NUMBER,
        label=f"{label}, highest",
        unit=unit,
        presets=presets,
    )


SECTION = Section(
    slug="limits",
    title="Limits",
    help="They hold for runs that start from now on. A new script gets the default; its own limits stand in its"
    " Settings. The highest holds for all scripts, whatever theirs say; 0 means that there is none.",
    fields=(
        SettingField(
            name=RUNS_AT_ONCE,
            attribute="MAX_CONCURRENT_RUNS",
            kind=FieldKind.NUMBER,
            label="Runs at once",
            help="More wait in the queue.",
            minimum=1,
            maximum=1000,
            presets=(1, 2, 4, 8, 20),
        ),
        SettingField(
            name=QUEUED_RUNS,
            attribute="MAX_QUEUED_RUNS",
            kind=FieldKind.NUMBER,
            label="Runs that wait",
            help="More are refused.",
            minimum=1,
            presets=(100, 1000, 10_000),
        ),
        _default(
            "PYSCHED_DEFAULT_SCRIPT_TIMEOUT", "DEFAULT_TIMEOUT_S", "Time", "seconds", *TIME_PRESETS
        ),
        _bound("PYSCHED_MAX_SCRIPT_TIMEOUT", "MAX_TIMEOUT_S", "Time", "seconds", *TIME_PRESETS),
        _default(
            *("PYSCHED_DEFAULT_MEMORY_LIMIT", "DEFAULT_MEMORY_MB", "Memory", "MB"),
            *MEMORY_PRESETS,
            minimum=16,
        ),
        _bound("PYSCHED_MAX_MEMORY_LIMIT", "MAX_MEMORY_MB", "Memory", "MB", *MEMORY_PRESETS),
        _default(
            *("PYSCHED_DEFAULT_PROCESSES", "DEFAULT_PROCESSES", "Processes", ""),
            *PROCESS_PRESETS,
            minimum=1,
        ),
        _bound("PYSCHED_MAX_PROCESSES", "MAX_PROCESSES", "Processes", "", *PROCESS_PRESETS),
        _default(
            *("PYSCHED_DEFAULT_OUTPUT_LIMIT", "DEFAULT_OUTPUT_MB", "Output that is kept", "MB"),
            *OUTPUT_PRESETS,
            minimum=1,
        ),
        _bound(
            "PYSCHED_MAX_OUTPUT_LIMIT",
            "MAX_OUTPUT_MB",
            "Output that is kept",
            "MB",
            *OUTPUT_PRESETS,
        ),
        _default(
            "PYSCHED_DEFAULT_FILE_SIZE_LIMIT",
            "DEFAULT_FILE_MB",
            "Size of a file",
            "MB",
            *FILE_PRESETS,
        ),
        _bound("PYSCHED_MAX_FILE_SIZE_LIMIT", "MAX_FILE_MB", "Size of a file", "MB", *FILE_PRESETS),
        _bound("PYSCHED_MAX_CPU", "MAX_CPU_S", "CPU time", "seconds", *TIME_PRESETS),
    ),
)
