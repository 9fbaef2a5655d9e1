"""Where a few typed letters may lead: a run by its number, scripts by name, pages."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from django.db.models import Case, Q, Value, When
from django.urls import reverse

from runs_app.models import Run
from scripts_app.models import Script
from tempo_site.pages import context

MAX_TARGETS = 12
MAX_SCRIPTS = 8
PAGE = "page"
MAX_DIGITS = 18  # digits: what fits into the database


@dataclass(frozen=True, kw_only=True)
class Target:
    """A place to go: what it is called, what sort of place it is, its address."""

    label: str
    place: str
    url: str


def targets(words: str, *, is_staff: bool) -> list[dict[str, str]]:
    """At most 12 places, the best first, in at most two queries. Without words: the pages, then the newest scripts."""
    words = words.strip()
    found = (*_run(words), *_scripts(words), *_pages(words, is_staff=is_staff))
    ordered = found if words else sorted(found, key=lambda target: target.place != PAGE)
    return [asdict(target) for target in islice(ordered, MAX_TARGETS)]


def _run(words: str) -> Iterator[Target]:
    digits = words.removeprefix("#")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= MAX_DIGITS):
        return
    run = (
        Run.objects.select_related("script")
        .only("pk", "status", "script__name")
        .filter(pk=int(digits))
        .first()
    )
    if run:
        subject = run.script.name if run.script else "an environment"
        place = f"run of {subject}, {run.get_status_display().lower()}"
        yield Target(label=f"#{run.pk}", place=place, url=reverse("run-detail", args=[run.pk]))


def _scripts(words: str) -> Iterator[Target]:
    rows: Any = (
        Script.objects.present().select_related("folder").only("name", "slug", "folder__path")
    )
    if words:
        named = (
            Q(name__icontains=words) | Q(slug__icontains=words) | Q(folder__path__icontains=words)
        )
        begins = Case(When(name__istartswith=words, then=Value(0)), default=Value(1))
        rows = rows.filter(named).order_by(begins, "name", "pk")
    else:
        rows = rows.order_by("-updated_at", "-pk")
    for script in rows[:MAX_SCRIPTS]:
        place = f"script in {script.folder.path}" if script.folder else "script"
        yield Target(
            label=script.name, place=place, url=reverse("script-detail", args=[script.slug])
        )


def _pages(words: str, *, is_staff: bool) -> Iterator[Target]:
    pages = [(place.label, place.url) for place in context.navigation("", is_staff=is_staff)]
    for label, url in [
        *pages,
        ("New script", reverse("script-new")),
        ("Change password", reverse("password")),
    ]:
        if words.casefold() in label.casefold():
            yield Target(label=label, place=PAGE, url=url)
