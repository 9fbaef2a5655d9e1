"""The isolation of a script on this installation, in words for the Settings tab."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from scripts_app.files import open_paths
from scripts_app.models import Script

LABELS = {"strong": "Strong", "good": "Good", "basic": "Basic"}


@dataclass(frozen=True, kw_only=True)
class IsolationSummary:
    grade: str
    sentence: str  # the reason for the grade
    read: list[str]  # opened by the environment and by staff
    write: list[str]
    beyond: str  # about all other files
    required: str  # the label of the minimum grade

    @property
    def label(self) -> str:
        return LABELS.get(self.grade, "")


def summary_of(
    script: Script, offered: Mapping[str, Any], *, had: tuple[str, str] | None = None
) -> IsolationSummary:
    """Return the summary for the launcher's report (wire.SupportMessage; empty: unknown).

    `had`: grade and reason of the last run, if lower than the launcher's report.
    """
    if had and offered and not script.as_service_user:
        offered = {**offered, "grade": had[0], "why": f"Its last run had this: {had[1]}"}
    opened = open_paths.open_to(script)
    return IsolationSummary(
        grade=_grade(script, offered),
        sentence=_sentence(script, offered),
        read=[*settings.EXTRA_READ_PATHS, *opened.read],
        write=[*settings.EXTRA_WRITE_PATHS, *opened.write],
        beyond=_beyond(script, offered),
        required=LABELS.get(settings.REQUIRE_ISOLATION, ""),
    )


def _grade(script: Script, offered: Mapping[str, Any]) -> str:
    # Without a user of its own the launcher decides the grade at each run.
    if script.as_service_user and offered.get("own_users"):
        return ""
    grade = str(offered.get("grade", ""))
    return grade if grade in LABELS else ""


def _sentence(script: Script, offered: Mapping[str, Any]) -> str:
    if not offered:
        return "What this installation can do is not known now."
    if script.as_service_user and offered.get("own_users"):
        return (
            "It is set to run as Tempo's own user, so its runs are less isolated than others here."
        )
    why = str(offered.get("why") or "").strip()
    return why[:1].upper() + why[1:]


def _beyond(script: Script, offered: Mapping[str, Any]) -> str:
    if offered.get("landlock"):
        return "Every other file is closed to them, by the kernel."
    is_kept_by_user = offered.get("own_users") and offered.get("keeps_modes")
    if is_kept_by_user and not script.as_service_user:
        return "They run as a user of their own: beyond this they can reach only what is open to every user."
    if not offered:
        return ""
    return "Nothing here enforces that: they can reach whatever Tempo's own user can. Run only scripts you trust."
