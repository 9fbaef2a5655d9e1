"""The section of what concerns this Tempo as a whole: its name, its zone, and where people reach it."""

from tempo_site.lib import zone
from tempo_site.stored_settings.fields import FieldKind, Section, SettingField, Value

NAME = "PYSCHED_NAME"
MAX_NAME = 40  # characters: it stands in the bar above each page and in the subjects of mails


def _check_name(value: Value) -> None:
    count = len(str(value))
    if count > MAX_NAME:
        raise ValueError(f"it has {count} characters; {MAX_NAME} is the most")


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
        SettingField(
            name=NAME,
            attribute="NAME",
            kind=FieldKind.TEXT,
            label="Name of this Tempo",
            help="Tells several apart: in the bar above, in the browser's tab and in the subject of mails.",
            check=_check_name,
        ),
        SettingField(
            name="PYSCHED_TIME_ZONE",
            attribute="TIME_ZONE",
            kind=FieldKind.TEXT,
            label="Time zone",
            help="Of pages, of new schedules and of what a script reads as its local time. Like `Europe/Berlin`.",
            check=_check_zone,
            keep=_keep_zone,
        ),
        SettingField(
            name="PYSCHED_PUBLIC_URL",
            attribute="PUBLIC_URL",
            kind=FieldKind.TEXT,
            label="Address of Tempo",
            help="Links in messages begin with it; without it messages hold none.",
            is_editable=False,
        ),
        SettingField(
            name="PYSCHED_BASE_PATH",
            attribute="BASE_PATH",
            kind=FieldKind.TEXT,
            label="Path below that address",
            help="Where a proxy shows Tempo beside other sites.",
            is_editable=False,
        ),
    ),
)
