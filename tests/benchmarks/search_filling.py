"""Fills the data folder of the settings with runs whose logs look like those of real scripts; called by `search`."""

import json
import random
import resource
import sys
from datetime import timedelta

from django.utils import timezone

from runs_app.models import Run
from runs_app.search import indexer
from runs_app.states import Status, Trigger
from scripts_app import scripts
from tempo_site.lib import paths

BATCH = 500
LINES = 100
RARE = "QX-51c7e9"
LEVELS = ("INFO", "INFO", "INFO", "DEBUG", "WARNING", "ERROR")
SENTENCES = (
    "fetched {n} rows from table customers in {m} ms",
    "connection to db-{m} was closed, trying again in {m} s",
    "wrote /srv/archive/2026/{m}/report-{n}.csv",
    "GET https://api.example.org/v2/orders?page={m} 200 {n} bytes",
    "invoice {n} was sent to the customer",
    "skipped {m} files that had not changed since the last backup",
    "cache hit for key session:{n}",
    "temperature of sensor {m} is 21.{m} degrees",
)


def fill(run_count: int, *, lines: int = LINES) -> None:
    """Write runs of so many lines, 100 bytes each; a single one of them holds the rare word."""
    dice = random.Random(7)
    script = scripts.create(name="Talker", code="print(1)\n", by=None, now=timezone.now())
    newest = timezone.now()
    for first in range(0, run_count, BATCH):
        runs = []
        for number in range(first + 1, min(first + BATCH, run_count) + 1):
            at = newest - timedelta(minutes=run_count - number)
            times = {"created_at": at, "started_at": at, "finished_at": at, "archived_at": at}
            data = log(dice, round(at.timestamp() * 1000), lines, has_rare=number == run_count // 3)
            folder = f"{paths.month(at)}/{number}-abcdef12"
            path = paths.run_folder(folder)
            path.mkdir(parents=True)
            (path / "output.log").write_bytes(data)
            run = Run(
                pk=number, script=script, version=script.version, trigger=Trigger.API, folder=folder
            )
            run.status, run.log_bytes = Status.SUCCEEDED, len(data)
            for name, value in times.items():
                setattr(run, name, value)
            run.announced_at = at
            runs.append(run)
        Run.objects.bulk_create(runs)


def log(dice: random.Random, at_ms: int, line_count: int, *, has_rare: bool) -> bytes:
    """The stored log of a run."""
    lines = []
    for number in range(line_count):
        sentence = dice.choice(SENTENCES).format(n=dice.randint(1, 99_999), m=dice.randint(1, 60))
        text = f"2026-11-01 12:{number % 60:02d}:07,{dice.randint(0, 999):03d} {dice.choice(LEVELS)} {sentence}"
        if has_rare and number == line_count // 2:
            text += f" {RARE}"
        lines.append(f"{at_ms + number} O F {text}\n")
    return "".join(lines).encode()


def index() -> None:
    """Index all of it and print what that took."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    indexer.start()
    while indexer.step():
        pass
    indexer.stop()
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    json.dump({"cpu_s": round(cpu_s, 2)}, sys.stdout)
