"""The section of who is let in, and what is asked of runs; most of it is read when Tempo starts."""

from tempo_site.stored_settings.fields import Field, Kind, Section

SESSION_DAYS = "PYSCHED_SESSION_DAYS"

SECTION = Section(
    slug="security",
    title="Security",
    help="What is read when Tempo starts is shown, and changed by its variable and a restart.",
    fields=(
        Field(
            name=SESSION_DAYS,
            attribute="SESSION_DAYS",
            kind=Kind.NUMBER,
            label="A log-in holds",
            unit="days",
            help="Of log-ins from now on. A new password ends the others at once.",
            minimum=1,
            maximum=365,
            presets=(1, 7, 14, 30, 90),
        ),
        Field(
            name="PYSCHED_RATE_LIMIT_ENABLED",
            attribute="RATELIMIT_ENABLE",
            kind=Kind.SWITCH,
            label="Rate limits",
            help="Off: passwords can be tried without end.",
            is_editable=False,
        ),
        Field(
            name="PYSCHED_ALLOWED_HOSTS",
            attribute="HOST_PATTERNS",
            kind=Kind.TEXT,
            label="Names that Tempo answers to",
            help="Empty: addresses, names without a dot, and names of a home network. The public address counts too.",
            is_editable=False,
        ),
        Field(
            name="PYSCHED_TRUSTED_PROXIES",
            attribute="TRUSTED_PROXIES",
            kind=Kind.TEXT,
            label="Proxies that are believed",
            help="What they say of a caller's address. Without it all who come through a proxy share one limit.",
            is_editable=False,
        ),
        Field(
            name="PYSCHED_HSTS",
            attribute="HSTS",
            kind=Kind.SWITCH,
            label="Tell browsers to use nothing but https",
            help="For a year.",
            is_editable=False,
        ),
        Field(
            name="PYSCHED_REQUIRE_ISOLATION",
            attribute="REQUIRE_ISOLATION",
            kind=Kind.TEXT,
            label="Required isolation",
            help="`good` or `strong`: runs that would have less are refused. Empty: each has what there is.",
            is_editable=False,
        ),
        Field(
            name="PYSCHED_ALLOW_DIRECT_URLS",
            attribute="ALLOW_DIRECT_URLS",
            kind=Kind.SWITCH,
            label="Packages from any address of the web",
            help="Off: of the package index alone.",
            is_editable=False,
        ),
    ),
)
