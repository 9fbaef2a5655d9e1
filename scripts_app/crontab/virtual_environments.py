"""Reads what is installed in a virtual environment, as requirements; no Python of it is started."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import PathDistribution
from itertools import islice
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from tempo_site.lib import paths

MAX_PACKAGES = 400
MAX_METADATA_BYTES = 1024 * 1024
_TOOLS = frozenset(
    {"pip", "setuptools", "wheel", "distribute", "pkg-resources", "uv", "virtualenv"}
)


@dataclass(frozen=True, kw_only=True)
class Installed:
    """The packages that nothing else in the environment asks for, as `name==version`; `python` is like `3.11`."""

    requirements: list[str] = field(default_factory=list)
    python: str = ""
    notes: list[str] = field(default_factory=list)


def installed_in(environment: str) -> Installed | None:
    """Return what is installed in the environment at an absolute path, or None where there is none to be read."""
    place = Path(environment)
    try:
        if not place.is_absolute() or place.resolve().is_relative_to(paths.data().resolve()):
            return None
        if not (place / "pyvenv.cfg").is_file():
            return None
        return _installed(place)
    except (OSError, ValueError):
        return None


def _installed(place: Path) -> Installed:
    found = list(islice(_distributions(place), MAX_PACKAGES))
    needed = {name for distribution in found for name in _needs(distribution)}
    requirements = []
    notes = []
    for distribution in found:
        name = canonicalize_name(distribution.name)
        if name in _TOOLS or name in needed:
            continue
        if distribution.read_text("direct_url.json"):
            notes.append(
                f"`{name}` did not come from the package index: it is left out of the requirements"
            )
        else:
            requirements.append(f"{name}=={distribution.version}")
    return Installed(requirements=sorted(set(requirements)), python=_python(place), notes=notes)


def _distributions(place: Path) -> Iterator[PathDistribution]:
    for folder in sorted(place.glob("lib/python3*/site-packages/*.dist-info")):
        metadata = folder / "METADATA"
        # Nothing but a plain file: to open a pipe would wait for ever.
        if metadata.is_file() and metadata.stat().st_size <= MAX_METADATA_BYTES:
            yield PathDistribution(folder)


def _needs(distribution: PathDistribution) -> Iterator[str]:
    for text in distribution.requires or []:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        if requirement.marker is None or "extra" not in str(requirement.marker):
            yield canonicalize_name(requirement.name)


def _python(place: Path) -> str:
    with (place / "pyvenv.cfg").open(encoding="utf-8", errors="replace") as file:
        for line in file.read(10_000).splitlines():
            key, _, value = line.partition("=")
            if key.strip() in ("version", "version_info"):
                return ".".join(value.strip().split(".")[:2])
    return ""
