"""The section for retention: how long finished runs are kept where no folder or script says otherwise."""

from tempo_site.stored_settings.fields import FieldKind, Section, SettingField

DAYS, RUNS, MEGABYTES = "PYSCHED_KEEP_DAYS", "PYSCHED_KEEP_RUNS", "PYSCHED_KEEP_MB"
DAY_PRESETS, RUN_PRESETS, MB_PRESETS = (7, 30, 90, 365), (100, 1000, 10_000), (512, 2048, 10_240)
AUDIT_DAYS, AUDIT_ROWS = "PYSCHED_KEEP_AUDIT_DAYS", "PYSCHED_KEEP_AUDIT_ROWS"

SECTION = Section(
    slug="retention",
    title="Retention",
    help="Finished runs are deleted beyond these limits. The page Retention shows what would go before that is saved,"
    " and holds the limits of folders and scripts.",
    fields=(
        SettingField(
            name=DAYS,
            attribute="KEEP_DAYS",
            kind=FieldKind.NUMBER,
            label="Days",
            unit="days",
            help="A finished run is kept so many days.",
            minimum=1,
            maximum=36_500,
            presets=DAY_PRESETS,
        ),
        SettingField(
            name=RUNS,
            attribute="KEEP_RUNS",
            kind=FieldKind.NUMBER,
            label="Runs of each script",
            unit="runs",
            minimum=1,
            presets=RUN_PRESETS,
        ),
        SettingField(
            name=MEGABYTES,
            attribute="KEEP_MB",
            kind=FieldKind.NUMBER,
            label="Size of all logs",
            unit="MB",
            help="Of all logs together: the oldest go first.",
            minimum=1,
            presets=MB_PRESETS,
        ),
        SettingField(
            name=AUDIT_DAYS,
            attribute="KEEP_AUDIT_DAYS",
            kind=FieldKind.NUMBER,
            label="Audit",
            unit="days",
            help="What was done by whom is kept so many days.",
            minimum=1,
            maximum=36_500,
            presets=(30, 90, 365, 3650),
        ),
        SettingField(
            name=AUDIT_ROWS,
            attribute="KEEP_AUDIT_ROWS",
            kind=FieldKind.NUMBER,
            label="Entries of the audit",
            unit="entries",
            help="The oldest beyond them go.",
            minimum=1000,
            maximum=100_000_000,
            presets=(10_000, 100_000, 1_000_000),
        ),
    ),
)
