"""The `script.toml` of each script in the mirror, written as an export writes it."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from django.db.models import QuerySet

from scripts_app.exchange import exporting, toml_text
from scripts_app.exchange.items import SCRIPTS, SETTINGS
from scripts_app.mirror import commits, git
from scripts_app.models import Script

AT_ONCE = 100  # scripts in one go: their texts are in memory


def present(repository: Path) -> dict[str, str]:
    """Return git's name of each file's content by its path. Raise GitFailed."""
    listed = git.run(repository, "ls-tree", "-r", "-z", commits.BRANCH, "--", SCRIPTS)
    found = {}
    for line in filter(None, listed.split("\0")):
        facts, _, path = line.partition("\t")
        found[path] = facts.split(" ")[2]
    return found


def changed(scripts: QuerySet[Script], known: Mapping[str, str]) -> dict[str, bytes]:
    """Return the settings by their path that are not `known` in this form."""
    found: dict[str, bytes] = {}
    related = ("folder", "version__environment", "wanted_environment")
    rows = scripts.exclude(version=None).select_related(*related).order_by("pk")
    keys = list(rows.values_list("pk", flat=True))
    for first in range(0, len(keys), AT_ONCE):
        some = list(rows.filter(pk__in=keys[first : first + AT_ONCE]))
        items = exporting.items_of(some)
        for script in some:
            path = f"{SCRIPTS}/{script.slug}/{SETTINGS}"
            text = toml_text.written(exporting.table_of(items[script.pk])).encode()
            if known.get(path) != name_of(text):
                found[path] = text
    return found


def name_of(content: bytes) -> str:
    """Return the name under which git keeps a file's content."""
    head = f"blob {len(content)}\0".encode()
    return hashlib.sha1(head + content, usedforsecurity=False).hexdigest()
