"""What environments, uv's cache and installed Pythons take on the disk: measured in the background, read by pages."""

import json
import logging
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from scripts_app.environments.drivers import measure as drivers_measure
from scripts_app.environments.drivers.measure import Measured, Size
from scripts_app.models import Environment
from tempo_site.lib import files, paths

logger = logging.getLogger(__name__)

EVERY = timedelta(days=1)
MIN_EVERY = timedelta(minutes=10)  # when an environment has been built or removed since
TIMEOUT_S = 600.0


@dataclass(frozen=True, kw_only=True)
class DiskUsage:
    """Sizes in bytes on the disk; hard links count once. `cache` is what no environment has in common with it."""

    measured_at: datetime
    total: int
    shared: int
    cache: int
    pythons: int
    environments: Mapping[str, Size] = field(default_factory=dict)  # by digest

    @property
    def of_environments(self) -> int:
        """All environments together."""
        return self.total - self.cache - self.pythons


def measure(*, now: datetime) -> bool:
    """Measure anew and keep the outcome; False when that was not possible. It may take minutes on a slow disk."""
    program = Path(drivers_measure.__file__).absolute()
    places = [str(paths.environments()), str(paths.cache()), str(paths.pythons())]
    argv = ["nice", "-n", "10", sys.executable, "-I", "-S", str(program), *places]
    try:
        done = subprocess.run(
            argv,
            capture_output=True,
            check=True,
            timeout=TIMEOUT_S,
            stdin=subprocess.DEVNULL,
            env={"PATH": "/bin:/usr/bin"},
        )
        measured: Measured = json.loads(done.stdout)
        files.write_atomic(
            paths.disk_use(),
            json.dumps({"measured_at": now.isoformat(), **measured}),
            durable=False,
        )
    except (OSError, subprocess.SubprocessError, ValueError) as problem:
        logger.warning("environments not measured: %s", problem)
        return False
    for environment in Environment.objects.exclude(digest="").only("digest", "size_bytes"):
        size = measured["environments"].get(environment.digest)
        if size and size["all"] != environment.size_bytes:
            Environment.objects.filter(pk=environment.pk, digest=environment.digest).update(
                size_bytes=size["all"]
            )
    return True


def read() -> DiskUsage | None:
    """What was measured last; None before the first time."""
    try:
        kept = json.loads(paths.disk_use().read_text())
        return DiskUsage(**{**kept, "measured_at": datetime.fromisoformat(kept["measured_at"])})
    except (OSError, ValueError, TypeError, LookupError):
        return None


def is_due(*, now: datetime) -> bool:
    """Whether it is time to measure: for the first time, daily, and when environments came or went since."""
    last = read()
    if last is None or not timedelta() <= now - last.measured_at < EVERY:
        return True
    digests = set(Environment.objects.exclude(digest="").values_list("digest", flat=True))
    return now - last.measured_at >= MIN_EVERY and digests != set(last.environments)
