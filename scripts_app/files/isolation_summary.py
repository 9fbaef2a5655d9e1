"""What keeps a script from what is not its own, as this installation can do it: words for its Settings tab."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from scripts_app.models import Script

LABELS = {"strong": "Strong", "good": "Good", "basic": "Basic"}


@dataclass(frozen=True, kw_only=True)
class IsolationSummary:
    """The grade that runs can have here with its reason, the folders opened by the admin, and what holds for others."""

    grade: str
    sentence: str
    read: list[str]
    write: list[str]
    beyond: str
    required: str

    @property
    def label(self) -> str:
        """The grade in a word for people."""
        return LABELS.get(self.grade, "")


def summary_of(
    script: Script, offered: Mapping[str, Any], *, had: tuple[str, str] | None = None
) -> IsolationSummary:
    """Describe it from what the launcher says of itself (`grade`, `why`, `own_users`, `landlock`; empty: not known).

    `had`: grade and reason of its last run, where that was less than what is offered.
    """
    if had and offered and not script.as_service_user:
        offered = {**offered, "grade": had[0], "why": f"Its last run had this: {had[1]}"}
    grade = str(offered.get("grade", ""))
    return IsolationSummary(
        # What the lowered one would be is the launcher's to say, run by run.
        grade=""
        if script.as_service_user and offered.get("own_users")
        else grade
        if grade in LABELS
        else "",
        sentence=_sentence(script, offered),
        read=settings.EXTRA_READ_PATHS,
        write=settings.EXTRA_WRITE_PATHS,
        beyond=_beyond(script, offered),
        required=LABELS.get(settings.REQUIRE_ISOLATION, ""),
    )


def _sentence(script: Script, offered: Mapping[str, Any]) -> str:
    if not offered:
        return "What this installation can do is not known at the moment."
    if script.as_service_user and offered.get("own_users"):
        return (
            "It is set to run as Tempo's own user, so its runs are less isolated than others here."
        )
    why = str(offered.get("why") or "").strip()
    return why[:1].upper() + why[1:]


def _beyond(script: Script, offered: Mapping[str, Any]) -> str:
    if offered.get("landlock"):
        return "Every other file is closed to them, by the kernel."
    if offered.get("own_users") and not script.as_service_user:
        return "They run as a user of their own: beyond this they can reach only what is open to every user."
    if not offered:
        return ""
    return "Nothing here enforces that: they can reach whatever Tempo's own user can. Run only scripts you trust."
