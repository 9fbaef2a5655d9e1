"""The section for backups: when they are made, what is in them, where they go and how many are kept."""

import re
from pathlib import Path

from tempo_site.stored_settings.fields import FieldKind, Section, SettingField, Value

PASSPHRASE = "PYSCHED_BACKUP_PASSPHRASE"
AUTOMATIC, LOGS = "PYSCHED_BACKUP_DAILY", "PYSCHED_BACKUP_LOGS"
SECOND_PLACE = "PYSCHED_BACKUP_PATH"
REMOTE = "PYSCHED_BACKUP_REMOTE"
DAILY, WEEKLY, MONTHLY = "PYSCHED_BACKUP_DAYS", "PYSCHED_BACKUP_WEEKS", "PYSCHED_BACKUP_MONTHS"
MEGABYTES, FILE_MB = "PYSCHED_BACKUP_MB", "PYSCHED_BACKUP_FILE_MB"
MIN_PASSPHRASE = 10
# A name of rclone's configuration and a path there: no options (`-x`), no connection strings (`:sftp,ssh=...:`).
_REMOTE = re.compile(
    r"(rclone|restic):[A-Za-z0-9_][A-Za-z0-9_-]*:[A-Za-z0-9_~./][A-Za-z0-9_~./@+-]*", re.ASCII
)


def _check_passphrase(value: Value) -> None:
    if value and len(str(value)) < MIN_PASSPHRASE:
        raise ValueError(f"it has to have {MIN_PASSPHRASE} characters or more")


def _check_place(value: Value) -> None:
    if value and not Path(str(value)).is_absolute():
        raise ValueError("it has to be the whole path of a folder, from `/` on")


def check_remote(value: Value) -> None:
    """Raise ValueError for what is no tool with a name and a path, or leads upwards."""
    if value and (not _REMOTE.fullmatch(str(value)) or "/../" in f"/{str(value).split(':')[-1]}/"):
        raise ValueError(
            "it has to be like `rclone:NAME:path` or `restic:NAME:path`, with a name out of rclone's configuration"
        )


SECTION = Section(
    slug="backup",
    title="Backups",
    help="A backup holds this whole Tempo. The page Backups lists them; it makes, verifies and restores them too.",
    fields=(
        SettingField(
            name=AUTOMATIC,
            attribute="BACKUP_DAILY",
            kind=FieldKind.SWITCH,
            label="Every night",
            help="After 04:45, by Tempo's time zone; a night that was missed is made up.",
        ),
        SettingField(
            name=PASSPHRASE,
            attribute="BACKUP_PASSPHRASE",
            kind=FieldKind.SECRET,
            label="Passphrase",
            help="With one a backup is encrypted and holds the secret key. Without one secrets have to be entered again"
            " after a restore. Keep it elsewhere: nobody opens such a backup without it.",
            check=_check_passphrase,
        ),
        SettingField(
            name=LOGS,
            attribute="BACKUP_LOGS",
            kind=FieldKind.SWITCH,
            label="Logs",
            help="The output of all runs is in it as well.",
        ),
        SettingField(
            name=SECOND_PLACE,
            attribute="BACKUP_PATH",
            kind=FieldKind.TEXT,
            label="Second place",
            help="A folder, as of another disk or a share, that gets a copy of each. Empty: none.",
            check=_check_place,
        ),
        SettingField(
            name=REMOTE,
            attribute="BACKUP_REMOTE",
            kind=FieldKind.TEXT,
            label="Remote place",
            help="`rclone:NAME:path` or `restic:NAME:path`: a name in the file `PYSCHED_BACKUP_RCLONE_CONFIG`, which"
            " says where it is (SFTP, WebDAV, S3 ...). It gets a copy of each. Empty: none.",
            check=check_remote,
        ),
        SettingField(
            name=DAILY,
            attribute="BACKUP_DAYS",
            kind=FieldKind.NUMBER,
            label="Keep of days",
            unit="days",
            help="The newest of each of so many days.",
            minimum=1,
            maximum=366,
            presets=(3, 7, 14, 30),
        ),
        SettingField(
            name=WEEKLY,
            attribute="BACKUP_WEEKS",
            kind=FieldKind.NUMBER,
            label="Keep of weeks",
            unit="weeks",
            maximum=520,
            presets=(2, 4, 8, 26),
        ),
        SettingField(
            name=MONTHLY,
            attribute="BACKUP_MONTHS",
            kind=FieldKind.NUMBER,
            label="Keep of months",
            unit="months",
            maximum=240,
            presets=(3, 6, 12, 24),
        ),
        SettingField(
            name=MEGABYTES,
            attribute="BACKUP_MB",
            kind=FieldKind.NUMBER,
            label="Size of all backups",
            unit="MB",
            help="The oldest go first; the newest stays whatever its size.",
            minimum=1,
            presets=(1024, 5120, 20_480, 102_400),
        ),
        SettingField(
            name=FILE_MB,
            attribute="BACKUP_FILE_MB",
            kind=FieldKind.NUMBER,
            label="Largest file",
            unit="MB",
            help="A larger file of a script is left out and named. 0: none is.",
            presets=(256, 1024, 4096),
        ),
    ),
)
