"""What the palette does beside leading somewhere: run a script, switch the theme, log out; settings by their words."""

from collections.abc import Iterator
from urllib.parse import urlencode

from django.urls import reverse

from scripts_app.models import Script
from tempo_site.pages.target import Act, Target
from tempo_site.stored_settings.registry import SECTIONS

RUN, HELP = "run ", "help "
MAX_RUNS = 5
MIN_WORDS = 3  # characters, before settings are looked through


def acts(words: str, *, is_staff: bool) -> Iterator[Target]:
    """Yield what these words ask for; `run backup` names scripts, at the cost of a query."""
    if words.casefold().startswith(RUN):
        yield from _runs_of_scripts(words[len(RUN) :].strip())
    if words.casefold().startswith(HELP):
        rest = words[len(HELP) :].strip()
        yield Target(
            label=rest, place="search the guide", url=f"{reverse('help')}?{urlencode({'q': rest})}"
        )
    for target in _named():
        if words.casefold() in target.label.casefold():
            yield target
    if is_staff and len(words) >= MIN_WORDS:
        yield from _settings(words.casefold())


def _named() -> list[Target]:
    return [
        Target(label="Pause everything", place="act", url=reverse("pause-all")),
        Target(label="Import from cron", place="act", url=reverse("crontab-import")),
        Target(label="Export and import", place="act", url=reverse("import-scripts")),
        Target(label="Light or dark theme", place="act", url="", act=Act.THEME),
        Target(label="Log out", place="act", url=reverse("logout"), act=Act.POST),
    ]


def _runs_of_scripts(name: str) -> Iterator[Target]:
    rows = Script.objects.present().filter(name__icontains=name).only("name", "slug")
    for script in rows.order_by("name", "pk")[:MAX_RUNS]:
        url = reverse("script-run", args=[script.slug])
        yield Target(label=f"Run {script.name}", place="start it now", url=url, act=Act.POST)


def _settings(words: str) -> Iterator[Target]:
    for section in SECTIONS.values():
        for field in section.fields:
            if words in f"{field.label} {field.name}".casefold():
                url = f"{reverse('settings', args=[section.slug])}#id_{field.name}"
                yield Target(label=field.label, place=f"setting in {section.title}", url=url)
