"""Two versions of a script beside each other: text, Python, settings and packages."""

from dataclasses import dataclass

from scripts_app.models import Environment, Version
from scripts_app.packages import locks
from scripts_app.packages.locks import Change
from scripts_app.versions import diffs, settings_snapshot
from scripts_app.versions.settings_snapshot import SettingDifference

FILES = {"code": "main.py", "requirements": "requirements.txt"}


@dataclass(frozen=True, kw_only=True)
class File:
    """How one of a version's files differs."""

    name: str
    difference: diffs.TextDifference


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What is different; empty parts are alike."""

    files: list[File]
    settings: list[SettingDifference]  # Python's version among them
    packages: list[Change]

    @property
    def is_same(self) -> bool:
        """Whether nothing is different at all."""
        return not (self.files or self.settings or self.packages)


def compare(before: Version, after: Version) -> Comparison:
    """Compare two versions, each with the packages that were locked for it."""
    return Comparison(
        files=_files(before, after),
        settings=settings(before, after),
        packages=packages(before.environment, after.environment),
    )


def settings(before: Version, after: Version) -> list[SettingDifference]:
    """What differs of Python's version and the settings that each was saved with."""
    pythons = (before.python_version or "Tempo's own", after.python_version or "Tempo's own")
    wanted = (
        [SettingDifference(name="Python", before=pythons[0], after=pythons[1])]
        if pythons[0] != pythons[1]
        else []
    )
    return [*wanted, *settings_snapshot.differences(before.settings, after.settings)]


def packages(before: Environment | None, after: Environment | None) -> list[Change]:
    """How the locked packages differ; none as long as one of them is not locked yet."""
    if before is None or after is None or before.pk == after.pk:
        return []
    if not (before.is_ready and after.is_ready):
        return []
    return locks.difference(before.lock, after.lock)


def unified(before: Version, after: Version) -> str:
    """Return how the files differ as `diff -u` writes it, one file below the other; empty when they are alike."""
    return "".join(
        diffs.unified(
            getattr(before, field),
            getattr(after, field),
            before_name=f"{before}/{name}",
            after_name=f"{after}/{name}",
        )
        for field, name in FILES.items()
    )


def _files(before: Version, after: Version) -> list[File]:
    return [
        File(name=name, difference=diffs.compare(getattr(before, field), getattr(after, field)))
        for field, name in FILES.items()
        if getattr(before, field) != getattr(after, field)
    ]
