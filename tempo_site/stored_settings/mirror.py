"""The section for the git mirror: whether there is one, and where it is pushed to."""

import re

from tempo_site.stored_settings.fields import FieldKind, Section, SettingField, Value

SWITCH, ADDRESS = "PYSCHED_MIRROR", "PYSCHED_MIRROR_ADDRESS"
TOKEN, KEY_FILE = "PYSCHED_MIRROR_TOKEN", "PYSCHED_MIRROR_KEY_FILE"

_HOST = r"[A-Za-z0-9][A-Za-z0-9.-]*"
_USER = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_PATH = r"[A-Za-z0-9_~.][A-Za-z0-9_~./@+-]*"
_ADDRESS = re.compile(
    rf"https://{_HOST}(:[0-9]+)?/{_PATH}|ssh://({_USER}@)?{_HOST}(:[0-9]+)?/{_PATH}|{_USER}@{_HOST}:/?{_PATH}"
)
_KEY_FILE = re.compile(r"/[A-Za-z0-9_./-]+")


def check_address(value: Value) -> None:
    """Raise ValueError for an address that is not one of https or ssh, or bears a password."""
    if value and not _ADDRESS.fullmatch(str(value)):
        raise ValueError(
            "it has to be like `https://host/path.git`, `ssh://git@host/path.git` or `git@host:path.git`, "
            "without a password"
        )


def check_key_file(value: Value) -> None:
    """Raise ValueError for what is no plain absolute path."""
    if value and not _KEY_FILE.fullmatch(str(value)):
        raise ValueError("it has to be the whole path of a file, of letters, digits and `_./-`")


SECTION = Section(
    slug="mirror",
    title="Git mirror",
    help="Each version of a script becomes a commit, with its author and its note: in a repository in the data folder, "
    "and at an address if you name one. It goes one way, and a save never waits for it.",
    fields=(
        SettingField(
            name=SWITCH,
            attribute="MIRROR",
            kind=FieldKind.SWITCH,
            label="Mirror versions",
            help="The repository is `mirror/repository.git` in the data folder. It holds code, requirements and "
            "settings (`script.toml`), and no secret.",
        ),
        SettingField(
            name=ADDRESS,
            attribute="MIRROR_ADDRESS",
            kind=FieldKind.TEXT,
            label="Address",
            help="It is pushed there too, to the branch `main`, by https or ssh, and never by force. Empty: nowhere.",
            check=check_address,
        ),
        SettingField(
            name=TOKEN,
            attribute="MIRROR_TOKEN",
            kind=FieldKind.SECRET,
            label="Token",
            help="For https: an access token that may write to that repository.",
        ),
        SettingField(
            name=KEY_FILE,
            attribute="MIRROR_KEY_FILE",
            kind=FieldKind.TEXT,
            label="Key file",
            help="For ssh: the whole path of a private key that Tempo's user may read. The host's own key is taken over"
            " at the first contact, and another one is refused from then on.",
            check=check_key_file,
        ),
    ),
)
