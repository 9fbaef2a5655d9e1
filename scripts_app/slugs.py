"""The slugs of scripts, their names in addresses: made of the name, and given once for good."""

from collections.abc import Collection, Iterator

from scripts_app.models import Script
from tempo_site.lib import humanize


def free(name: str) -> Iterator[str]:
    """Yield the free slugs for a name, best first: `hello-world`, `hello-world-2`..."""
    base = _base(name)
    taken = Script.objects.filter(slug__startswith=base).values_list("slug", flat=True)
    return free_among(name, set(taken))


def free_among(name: str, taken: Collection[str]) -> Iterator[str]:
    """Yield the slugs for a name that are not among these, best first."""
    base = _base(name)
    if base not in taken:
        yield base
    for number in range(2, len(taken) + 1000):
        slug = f"{base}-{number}"
        if slug not in taken:
            yield slug


# Names without any Latin letter or digit become `script`; digits among other letters are kept: `script-2024`.
def _base(name: str) -> str:
    base = humanize.safe_name(name)
    has_letters = any(map(str.isalpha, name))
    if has_letters and not any(map(str.isalpha, base)):
        base = f"script-{base}".rstrip("-")
    return base
