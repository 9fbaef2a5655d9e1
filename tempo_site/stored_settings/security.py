"""The section of who is let in, and what is asked of runs; most of it is read when Tempo starts."""

from tempo_site.stored_settings.fields import FieldKind, Section, SettingField

SESSION_DAYS = "PYSCHED_SESSION_DAYS"


def _read_at_start(
    name: str, attribute: str, *, kind: FieldKind, label: str, help: str
) -> SettingField:
    return SettingField(
        name=name, attribute=attribute, kind=kind, label=label, help=help, is_editable=False
    )


SECTION = Section(
    slug="security",
    title="Security",
    help="What is read when Tempo starts is shown, and changed by its variable and a restart.",
    fields=(
        SettingField(
            name=SESSION_DAYS,
            attribute="SESSION_DAYS",
            kind=FieldKind.NUMBER,
            label="A log-in holds",
            unit="days",
            help="Of log-ins from now on. A new password ends the others at once.",
            minimum=1,
            maximum=365,
            presets=(1, 7, 14, 30, 90),
        ),
        _read_at_start(
            "PYSCHED_RATE_LIMIT_ENABLED",
            "RATELIMIT_ENABLE",
            kind=FieldKind.SWITCH,
            label="Rate limits",
            help="Off: passwords can be tried without end.",
        ),
        _read_at_start(
            "PYSCHED_ALLOWED_HOSTS",
            "HOST_PATTERNS",
            kind=FieldKind.TEXT,
            label="Names that Tempo answers to",
            help="Empty: addresses, names without a dot, and names of a home network. The public address counts too.",
        ),
        _read_at_start(
            "PYSCHED_TRUSTED_PROXIES",
            "TRUSTED_PROXIES",
            kind=FieldKind.TEXT,
            label="Proxies that are believed",
            help="What they say of a caller's address. Without it all who come through a proxy share one limit.",
        ),
        _read_at_start(
            "PYSCHED_HSTS",
            "HSTS",
            kind=FieldKind.SWITCH,
            label="Tell browsers to use nothing but https",
            help="For a year.",
        ),
        _read_at_start(
            "PYSCHED_REQUIRE_ISOLATION",
            "REQUIRE_ISOLATION",
            kind=FieldKind.TEXT,
            label="Required isolation",
            help="`good` or `strong`: runs that would have less are refused. Empty: each has what there is.",
        ),
        _read_at_start(
            "PYSCHED_ALLOW_DIRECT_URLS",
            "ALLOW_DIRECT_URLS",
            kind=FieldKind.SWITCH,
            label="Packages from any address of the web",
            help="Off: of the package index alone.",
        ),
    ),
)
