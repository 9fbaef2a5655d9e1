"""Drafts: the unsaved text of a script, shared by all editors of the script."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F

from scripts_app.models import Draft, Script, Version
from scripts_app.validation import ScriptError
from scripts_app.versions import versions
from tempo_site.audit import trail

UNSEEN_NOTE = "Draft, kept when a version was saved without it"
IDLE_NOTE = "Draft, kept when nobody had changed it for 10 minutes"
IDLE_AFTER = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class Text:
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
        return {name: getattr(self, name) for name in versions.FIELDS}


class Conflict(ValueError):
    """The text was changed in the meantime; `yours` holds the fields that were not stored."""

    def __init__(self, current: Text, *, yours: dict[str, str] | None = None) -> None:
        place = f"by `{current.author}`" if current.author else "elsewhere"
        super().__init__(
            f"The text was changed {place} in the meantime, so yours was not saved.\n"
            "hint: compare both, then save on top of the other text or take it"
        )
        self.current = current
        self.yours = yours or {}


def text(script: Script) -> Text:
    """Return the text of a script with its revision. Raises ScriptError when the script was deleted."""
    # One query, so that the text and the revision belong together.
    rows = Script.objects.present().select_related("draft__author", "version__author")
    stored = rows.filter(pk=script.pk).first()
    if stored is None:
        raise ScriptError(f"`{script.slug}` was deleted and cannot be changed", field="script")
    version = stored.version
    draft: Draft | None = getattr(stored, "draft", None)
    source = draft or version
    if source is None:
        return Text(
            revision=stored.revision,
            code="",
            requirements="",
            python_version="",
            is_draft=False,
            author="",
            saved_at=None,
        )
    return Text(
        revision=stored.revision,
        code=source.code,
        requirements=source.requirements,
        python_version=source.python_version,
        is_draft=draft is not None,
        author=source.author.get_username() if source.author else "",
        saved_at=source.saved_at if isinstance(source, Draft) else source.created_at,
        version=version.number if version else 0,
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
    """Store a draft that is based on revision `based_on` and return the stored text. Raises Conflict, ScriptError.

    A draft equal to the version is deleted. Equal text is no conflict and no new revision: a request may come twice.
    """
    fields = versions.check_text(
        code=code, requirements=requirements, python_version=python_version
    )
    with transaction.atomic():
        if text(script).fields != fields:
            claim(script, based_on=based_on, yours=fields)
            _store(script, fields, by=by, now=now)
            trail.pass_over()  # it is being typed: the version that is made of it is recorded
        return text(script)


def revision_named(text: str) -> int:
    """Return the revision in a form field; -1, the revision of no text, for an invalid number."""
    is_number = text.isascii() and text.isdecimal() and len(text) < 10
    return int(text) if is_number else -1


def discard(script: Script, *, based_on: int) -> None:
    """Delete the draft of revision `based_on`, if there is a draft. Raises Conflict for a draft of another revision."""
    with transaction.atomic():
        if Draft.objects.filter(script=script).exists():
            claim(script, based_on=based_on)
            Draft.objects.filter(script=script).delete()
        trail.record("discarded", kind="draft", name=script.slug)


def claim(script: Script, *, based_on: int, yours: dict[str, str] | None = None) -> None:
    """Count up the revision `based_on` before a change. Raises Conflict when another change was faster."""
    rows = Script.objects.filter(pk=script.pk, revision=based_on)
    if not rows.update(revision=F("revision") + 1):
        raise Conflict(text(script), yours=yours)


def keep_idle(*, now: datetime) -> int:
    """Keep drafts without a change for 10 minutes as versions, once per text; return the number of new versions."""
    # Draft and current version stay: editors go on with the draft, schedules with the version.
    idle = Draft.objects.filter(
        kept=None,
        saved_at__lte=now - IDLE_AFTER,
        script__deleted_at=None,
    )
    return sum(_keep(pk, now=now) for pk in idle.values_list("pk", flat=True))


def _keep(draft_id: int, *, now: datetime) -> bool:
    with transaction.atomic():
        rows = Draft.objects.filter(
            pk=draft_id,
            kept=None,
            saved_at__lte=now - IDLE_AFTER,
        )
        draft = rows.select_related("script", "author").first()
        if draft is None:  # changed or ended in the meantime
            return False
        fields = versions.fields_of(draft)
        draft.kept = versions.same_text(draft.script, fields)
        is_new = draft.kept is None
        if is_new:
            draft.kept = versions.keep_draft(
                draft.script, fields, author=draft.author, note=IDLE_NOTE
            )
        draft.save(update_fields=["kept"])
        return is_new


def supersede(script: Script, content: dict[str, str], *, based_on: int | None) -> None:
    """End the draft before a new version; an unseen draft (no `based_on`) becomes a version first. Raises Conflict."""
    if based_on is None:
        _count_up(script)
    else:
        claim(script, based_on=based_on, yours=content)
    draft = Draft.objects.filter(script=script).select_related("author", "kept").first()
    if draft is None:
        return
    fields = versions.fields_of(draft)
    if based_on is None and fields != content and not draft.kept:
        versions.keep_draft(
            script,
            fields,
            author=draft.author,
            note=UNSEEN_NOTE,
        )
    draft.delete()
    if draft.kept and draft.kept.is_draft and fields == content:
        draft.kept.delete()  # the new version has the same text and takes the number


def _store(
    script: Script,
    fields: dict[str, str],
    *,
    by: User | None,
    now: datetime,
) -> None:
    version = Version.objects.filter(script=script, pk=F("script__version")).first()
    if version is not None and fields == versions.fields_of(version):
        Draft.objects.filter(script=script).delete()
        return
    defaults = {**fields, "author": by, "saved_at": now, "kept": None}
    Draft.objects.update_or_create(script=script, defaults=defaults)


def _count_up(script: Script) -> None:
    Script.objects.filter(pk=script.pk).update(revision=F("revision") + 1)
