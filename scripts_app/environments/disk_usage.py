"""The disk usage of environments, uv's cache and installed Pythons: measured in the background, read by pages."""

import json
import logging
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings

from scripts_app.environments import builds
from scripts_app.environments.drivers.measure import Measured, Size
from scripts_app.models import Environment
from tempo_site.lib import confined, files, paths

logger = logging.getLogger(__name__)

INTERVAL = timedelta(days=1)
MIN_INTERVAL = timedelta(minutes=10)  # after an environment has been built or removed
TIMEOUT_S = 600.0


@dataclass(frozen=True, kw_only=True)
class DiskUsage:
    """Sizes in bytes on the disk; hard links count once, and files of environments do not count for `cache`."""

    measured_at: datetime
    total: int
    shared: int
    cache: int
    pythons: int
    environments: Mapping[str, Size] = field(default_factory=dict)  # by digest

    @property
    def of_environments(self) -> int:
        return self.total - self.cache - self.pythons


def measure(*, now: datetime) -> bool:
    """Measure and store the sizes; False when that was not possible. May take minutes on a slow disk."""
    places = [paths.environments(), paths.cache(), paths.pythons()]
    drivers = settings.BASE_DIR / "scripts_app"
    argv = confined.command(
        builds.driver_argv("measure", *places),
        read=[*confined.own_python(), drivers, *places],
    )
    try:
        answer = subprocess.run(
            ["nice", "-n", "10", *argv],
            capture_output=True,
            check=True,
            timeout=TIMEOUT_S,
            stdin=subprocess.DEVNULL,
            env={"PATH": "/bin:/usr/bin"},
        )
        measured: Measured = json.loads(answer.stdout)
        content = json.dumps({"measured_at": now.isoformat(), **measured})
        files.write_atomic(paths.disk_use(), content, durable=False)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        logger.warning("environments not measured: %s", error)
        return False
    _store_sizes(measured["environments"])
    return True


def _store_sizes(sizes: Mapping[str, Size]) -> None:
    for environment in Environment.objects.exclude(digest="").only("digest", "size_bytes"):
        size = sizes.get(environment.digest)
        if size and size["all"] != environment.size_bytes:
            row = Environment.objects.filter(pk=environment.pk, digest=environment.digest)
            row.update(size_bytes=size["all"])


def read() -> DiskUsage | None:
    """Return the last measurement; None before the first."""
    try:
        stored = json.loads(paths.disk_use().read_text())
        stored["measured_at"] = datetime.fromisoformat(stored["measured_at"])
        return DiskUsage(**stored)
    except (OSError, ValueError, TypeError, LookupError):
        return None


def is_due(*, now: datetime) -> bool:
    """Tell whether to measure: at first, daily, and soon after environments were added or removed."""
    last = read()
    if last is None:
        return True
    age = now - last.measured_at
    if age < timedelta() or age >= INTERVAL:
        return True
    digests = set(Environment.objects.exclude(digest="").values_list("digest", flat=True))
    return age >= MIN_INTERVAL and digests != set(last.environments)
