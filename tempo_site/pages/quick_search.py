"""The quick search of the palette: a run by its number, scripts by name, pages, acts, what the output holds."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, TypedDict
from urllib.parse import urlencode

from django.db.models import Case, Q, QuerySet, Value, When
from django.urls import reverse

from runs_app.models import Run
from scripts_app.models import Script
from tempo_site.pages import frame, palette_acts
from tempo_site.pages.target import Target

MAX_TARGETS = 30
MAX_SCRIPTS = 8
MAX_DIGITS = 18  # of a run's id: what fits into the database
PAGE = "page"


class PaletteContext(TypedDict):
    items: list[dict[str, str]]


def palette_context(words: str, *, is_staff: bool) -> PaletteContext:
    """Return at most 30 targets, the best first, in at most three queries.

    Without words: the pages, then the newest scripts.
    """
    words = words.strip()
    targets = _targets(words, is_staff=is_staff)[:MAX_TARGETS]
    if words:
        targets = [*targets[: MAX_TARGETS - 1], _search_of_output(words)]
    return {"items": [asdict(target) for target in targets]}


def _targets(words: str, *, is_staff: bool) -> list[Target]:
    pages = _pages(words, is_staff=is_staff)
    if not words:
        return [*pages, *_newest_scripts()]
    asked = palette_acts.acts(words, is_staff=is_staff)
    return [*_runs(words), *_scripts_by_name(words), *pages, *asked]


def _search_of_output(words: str) -> Target:
    url = f"{reverse('search')}?{urlencode({'q': words})}"
    return Target(label=words, place="search the output of all runs", url=url)


def _runs(words: str) -> Iterator[Target]:
    digits = words.removeprefix("#")
    is_number = digits.isascii() and digits.isdecimal()
    if not is_number or len(digits) > MAX_DIGITS:
        return
    rows = Run.objects.select_related("script").only("pk", "status", "script__name")
    run = rows.filter(pk=int(digits)).first()
    if run is None:
        return
    subject = run.script.name if run.script else "an environment"
    place = f"run of {subject}, {run.get_status_display().lower()}"
    yield Target(label=f"#{run.pk}", place=place, url=reverse("run-detail", args=[run.pk]))


def _scripts_by_name(words: str) -> Iterator[Target]:
    is_named = Q(name__icontains=words) | Q(slug__icontains=words)
    is_in_folder = Q(folder__path__icontains=words)
    begins = Case(When(name__istartswith=words, then=Value(0)), default=Value(1))
    rows = Script.objects.present().filter(is_named | is_in_folder)
    return _script_targets(rows.order_by(begins, "name", "pk"))


def _newest_scripts() -> Iterator[Target]:
    return _script_targets(Script.objects.present().order_by("-updated_at", "-pk"))


def _script_targets(scripts: QuerySet[Script, Any]) -> Iterator[Target]:
    rows = scripts.select_related("folder").only("name", "slug", "folder__path")
    for script in rows[:MAX_SCRIPTS]:
        place = f"script in {script.folder.path}" if script.folder else "script"
        url = reverse("script-overview", args=[script.slug])
        yield Target(label=script.name, place=place, url=url)


def _pages(words: str, *, is_staff: bool) -> list[Target]:
    pages = [(place.label, place.url) for place in frame.navigation("", is_staff=is_staff)]
    pages.append(("New script", reverse("script-new")))
    pages.append(("Change password", reverse("password")))
    targets = []
    for label, url in pages:
        if words.casefold() in label.casefold():
            targets.append(Target(label=label, place=PAGE, url=url))
    return targets
