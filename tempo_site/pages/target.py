"""An entry of the palette."""

from dataclasses import dataclass
from enum import StrEnum


class Act(StrEnum):
    """What choosing an entry does."""

    GO = ""
    POST = "post"  # the address is sent as a form
    THEME = "theme"


@dataclass(frozen=True, kw_only=True)
class Target:
    label: str
    place: str
    url: str
    act: Act = Act.GO
