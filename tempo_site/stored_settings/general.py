"""The section of what concerns this Tempo as a whole: its zone, and what the environment alone says."""

from tempo_site.lib import zone
from tempo_site.stored_settings.fields import Field, Kind, Section, Value


def _check_zone(value: Value) -> None:
    if not zone.is_known(str(value)):
        raise ValueError(
            f"`{value}` is no time zone of this machine\nhint: write it like `Europe/Berlin`"
        )


def _keep_zone(value: Value) -> None:
    zone.store(str(value))


SECTION = Section(
    slug="general",
    title="General",
    help="The look, light or dark, is each person's own: the button is in the bar above.",
    fields=(
        Field(
            name="PYSCHED_TIME_ZONE",
            attribute="TIME_ZONE",
            kind=Kind.TEXT,
            label="Time zone",
            help="Of pages, of new schedules and of what a script reads as its local time. Like `Europe/Berlin`.",
            check=_check_zone,
            keep=_keep_zone,
        ),
        Field(
            name="PYSCHED_PUBLIC_URL",
            attribute="PUBLIC_URL",
            kind=Kind.TEXT,
            label="Address of Tempo",
            help="Links in messages begin with it; without it messages hold none. It is read when Tempo starts.",
            is_editable=False,
        ),
        Field(
            name="PYSCHED_REQUIRE_ISOLATION",
            attribute="REQUIRE_ISOLATION",
            kind=Kind.TEXT,
            label="Required isolation",
            help="Runs that would have less are refused: `good` or `strong`. It is read when Tempo starts.",
            is_editable=False,
        ),
    ),
)
