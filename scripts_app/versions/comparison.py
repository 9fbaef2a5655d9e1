"""The differences of two versions of a script: text, Python, settings and packages."""

from dataclasses import dataclass

from scripts_app.models import Environment, Version
from scripts_app.packages import locks
from scripts_app.packages.locks import Change
from scripts_app.versions import diffs, settings_snapshot
from scripts_app.versions.settings_snapshot import SettingDifference

FILES = {"code": "main.py", "requirements": "requirements.txt"}


@dataclass(frozen=True, kw_only=True)
class ChangedFile:
    name: str
    difference: diffs.TextDifference


@dataclass(frozen=True, kw_only=True)
class Comparison:
    files: list[ChangedFile]
    settings: list[SettingDifference]  # Python's version among them
    packages: list[Change]

    @property
    def is_same(self) -> bool:
        return not (self.files or self.settings or self.packages)


def compare(before: Version, after: Version) -> Comparison:
    return Comparison(
        files=_changed_files(before, after),
        settings=settings(before, after),
        packages=packages(before.environment, after.environment),
    )


def settings(before: Version, after: Version) -> list[SettingDifference]:
    found = []
    old_python = before.python_version or "Tempo's own"
    new_python = after.python_version or "Tempo's own"
    if old_python != new_python:
        found.append(
            SettingDifference(
                name="Python",
                before=old_python,
                after=new_python,
            )
        )
    found.extend(settings_snapshot.differences(before.settings, after.settings))
    return found


def packages(before: Environment | None, after: Environment | None) -> list[Change]:
    """Return the differences of the locked packages; none before both environments are built."""
    if before is None or after is None or before.pk == after.pk:
        return []
    if not (before.is_ready and after.is_ready):
        return []
    return locks.difference(before.lock, after.lock)


def unified(before: Version, after: Version) -> str:
    """Return the differences of all files in the format of `diff -u`; "" for equal files."""
    parts = []
    for field, name in FILES.items():
        part = diffs.unified(
            getattr(before, field),
            getattr(after, field),
            before_name=f"{before}/{name}",
            after_name=f"{after}/{name}",
        )
        parts.append(part)
    return "".join(parts)


def _changed_files(before: Version, after: Version) -> list[ChangedFile]:
    changed = []
    for field, name in FILES.items():
        old_text = getattr(before, field)
        new_text = getattr(after, field)
        if old_text != new_text:
            difference = diffs.compare(old_text, new_text)
            changed.append(ChangedFile(name=name, difference=difference))
    return changed
