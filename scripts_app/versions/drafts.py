"""Drafts: text of a script that is no version yet. One a script, shared by all who edit it, never lost unawares."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F

from scripts_app.models import Draft, Script, Version
from scripts_app.validation import ScriptError
from scripts_app.versions import versions

UNSEEN = "Draft, kept when a version was saved without it"
IDLE = "Draft, kept when nobody had changed it for 10 minutes"
IDLE_AFTER = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class Text:
    """What the editor of a script shows: its draft, or else its current version."""

    revision: int
    code: str
    requirements: str
    python_version: str
    is_draft: bool
    author: str
    saved_at: datetime | None
    version: int = 0  # the number of the current version

    @property
    def fields(self) -> dict[str, str]:
        """What is compared and stored of it."""
        return {name: getattr(self, name) for name in versions.FIELDS}


class Conflict(ValueError):
    """Someone else changed the text in the meantime; nothing was stored. `current` is what they wrote, `yours` what was
    to be stored, by the names of versions.FIELDS; empty where that was no text.
    """

    def __init__(self, current: Text, *, yours: dict[str, str] | None = None) -> None:
        who = f"by `{current.author}`" if current.author else "elsewhere"
        super().__init__(
            f"The text was changed {who} in the meantime, so yours was not saved.\n"
            "hint: compare both, then save on top of the other text or take it"
        )
        self.current = current
        self.yours = yours or {}


def text(script: Script) -> Text:
    """Return the text of a script with its revision, read in one query so that they belong together.

    Raises ScriptError when the script was deleted.
    """
    rows = Script.objects.present().select_related("draft__author", "version__author")
    found = rows.filter(pk=script.pk).first()
    if found is None:
        raise ScriptError(f"`{script.slug}` was deleted and cannot be changed", field="script")
    draft: Draft | None = getattr(found, "draft", None)
    source = draft or found.version
    saved_at = draft.saved_at if draft else found.version.created_at if found.version else None
    return Text(
        revision=found.revision,
        is_draft=draft is not None,
        author=source.author.get_username() if source and source.author else "",
        saved_at=saved_at,
        version=found.version.number if found.version else 0,
        **{name: getattr(source, name) if source else "" for name in versions.FIELDS},
    )


def save(
    script: Script,
    *,
    code: str,
    requirements: str,
    python_version: str,
    based_on: int,
    by: User | None,
    now: datetime,
) -> Text:
    """Store a draft that was made from revision `based_on`; return what is stored then, with its new revision.

    What says the same as the version is no draft. Text that is stored already counts no revision up and is no
    conflict: an answer may get lost and its request come twice. Nothing is asked of the text but that a version could
    hold it; what is wrong with it is `problems`' business. Raises Conflict, and ScriptError.
    """
    wanted = versions.check_text(
        code=code, requirements=requirements, python_version=python_version
    )
    with transaction.atomic():
        if text(script).fields != wanted:
            claim(script, based_on=based_on, yours=wanted)
            _store(script, wanted, by=by, now=now)
        return text(script)


def revision_named(text: str) -> int:
    """The revision that a field of a page names; -1, which no text has, where it names none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else -1


def discard(script: Script, *, based_on: int) -> None:
    """Throw away the draft of revision `based_on`, so that the version is the text again; without a draft do nothing.

    Raises Conflict when that is not the draft that is there: nobody throws away what they have not seen.
    """
    with transaction.atomic():
        if Draft.objects.filter(script=script).exists():
            claim(script, based_on=based_on)
            Draft.objects.filter(script=script).delete()


def claim(script: Script, *, based_on: int, yours: dict[str, str] | None = None) -> None:
    """Take the right to change the text of revision `based_on`. Raises Conflict when someone was faster."""
    rows = Script.objects.filter(pk=script.pk, revision=based_on)
    if not rows.update(revision=F("revision") + 1):
        raise Conflict(text(script), yours=yours)


def keep_idle(*, now: datetime) -> int:
    """Put each draft that nobody changed for 10 minutes among the versions, once per text; returns how many.

    The draft stays, with its revision: whoever has it open in an editor goes on from it. The current version stays
    too, so that schedules and runs go on with what somebody meant to be run.
    """
    idle = Draft.objects.filter(kept=None, saved_at__lte=now - IDLE_AFTER, script__deleted_at=None)
    return sum(_keep(pk, now=now) for pk in idle.values_list("pk", flat=True))


def _keep(draft_id: int, *, now: datetime) -> bool:
    """Keep one, unless it was changed or ended since it was found. Returns whether that made a version."""
    with transaction.atomic():
        rows = Draft.objects.filter(pk=draft_id, kept=None, saved_at__lte=now - IDLE_AFTER)
        draft = rows.select_related("script", "author").first()
        if draft is None:
            return False
        said = versions.fields_of(draft)
        there = versions.same_text(draft.script, said)
        draft.kept = there or versions.keep_aside(
            draft.script, said, author=draft.author, note=IDLE
        )
        draft.save(update_fields=["kept"])
        return there is None


def supersede(script: Script, content: dict[str, str], *, based_on: int | None) -> None:
    """Make way for a new version that says `content`: the draft ends, the revision counts up.

    A draft that the author of the version had not seen (`based_on` is None) is kept as a version of its own before.
    Raises Conflict.
    """
    if based_on is None:
        _count_up(script)
    else:
        claim(script, based_on=based_on, yours=content)
    draft = Draft.objects.filter(script=script).select_related("author", "kept").first()
    if draft is None:
        return
    said = versions.fields_of(draft)
    if based_on is None and said != content and not draft.kept:
        versions.keep_aside(script, said, author=draft.author, note=UNSEEN)
    draft.delete()
    if draft.kept and draft.kept.is_draft and said == content:
        draft.kept.delete()  # the version that is about to be saved says the same, and gets its number


def _store(script: Script, wanted: dict[str, str], *, by: User | None, now: datetime) -> None:
    version = Version.objects.filter(script=script, pk=F("script__version")).first()
    if version is not None and wanted == versions.fields_of(version):
        Draft.objects.filter(script=script).delete()
    else:
        Draft.objects.update_or_create(
            script=script, defaults={**wanted, "author": by, "saved_at": now, "kept": None}
        )


def _count_up(script: Script) -> None:
    Script.objects.filter(pk=script.pk).update(revision=F("revision") + 1)
