"""Fills the data folder of the settings with scripts, schedules and a month of history; called by `seed`."""

import json
import random
import secrets
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import cycle, islice
from pathlib import Path

from django.utils import timezone

from runs_app import run_folder
from runs_app.history import history
from runs_app.launcher.folders import ARCHIVE
from runs_app.models import Run
from runs_app.output import log as output_log
from runs_app.states import Reason, Status, Trigger
from scripts_app import scripts
from scripts_app.models import Environment, Schedule, Script
from scripts_app.schedules import schedules
from tempo_site.lib import humanize, paths
from tests.benchmarks.samples import SAMPLES, Sample

DAYS = 29
WITH_LOG = 200
PLACES = (
    "north",
    "south",
    "east",
    "west",
    "staging",
    "archive",
    "lab",
    "office",
    "shop",
    "warehouse",
)
BAD_ENDS = (
    (Status.FAILED, Reason.EXIT_CODE, 70),
    (Status.TIMED_OUT, Reason.TIME, 10),
    (Status.CANCELLED, Reason.USER, 10),
    (Status.FAILED, Reason.SIGNAL, 5),
    (Status.LOST, Reason.RESTART, 3),
    (Status.SKIPPED, Reason.OVERLAP, 8),
)
UNBORN = (Status.SKIPPED, Status.MISSED)
BATCH = 500
LINES = (
    "\033[32mok\033[0m   read 1,284 rows",
    "\033[33mwarn\033[0m 3 rows were skipped",
    "wrote `archive/today.csv`",
)
TRACEBACK = """Traceback (most recent call last):
  File "main.py", line 18, in <module>
    print("EUR", round(convert(invoice["amount"], invoice["currency"]), 2))
  File "main.py", line 8, in convert
    return amount / RATES[currency]
KeyError: 'CHF'"""


def fill(*, script_count: int, run_count: int) -> None:
    """Seed the database and the folders; the same choices every time."""
    now, chance = timezone.now(), random.Random(7)
    made = [(sample, plant(sample, now=now)) for sample in samples(script_count)]
    settle_environments()
    for _, script in made:
        script.refresh_from_db()
    planned = [plan(made, now=now, chance=chance) for _ in range(run_count)]
    rows = sorted(planned, key=lambda run: run.created_at)
    Run.objects.bulk_create(rows, batch_size=BATCH)
    write_logs([run for run in rows if run.started_at][-WITH_LOG:])


def samples(count: int) -> Iterator[Sample]:
    """The samples as they are, then again and again with a place behind the name."""
    yield from SAMPLES[:count]
    again = cycle(SAMPLES)
    for number, sample in enumerate(islice(again, max(0, count - len(SAMPLES)))):
        round_number, place = divmod(number, len(SAMPLES) * len(PLACES))
        suffix = PLACES[place // len(SAMPLES)] + (f" {round_number + 1}" if round_number else "")
        yield replace(sample, name=f"{sample.name}, {suffix}", folder=sample.folder or "Inbox")


def plant(sample: Sample, *, now: datetime) -> Script:
    """One script with its schedule."""
    script = scripts.create(
        name=sample.name,
        folder=sample.folder,
        code=sample.code.lstrip("\n"),
        requirements=sample.requirements,
        description=sample.description,
        tags=sample.tags,
        by=None,
        now=now,
        timeout_s=0 if sample.seconds > 300 else 300,
    )
    if sample.rhythm:
        schedules.save(Schedule(script=script, timezone="Europe/Berlin", **sample.rhythm), now=now)
    return script if sample.enabled else scripts.update(script, by=None, now=now, enabled=False)


def settle_environments() -> None:
    """Make every environment ready without a build: its Python is Tempo's own, behind a link. One has failed."""
    for environment in Environment.objects.exclude(requirements__contains="cryptography"):
        environment.digest = f"{environment.pk:032x}"
        environment.state = Environment.State.READY
        environment.ready_at = timezone.now()
        environment.save()
        folder = paths.environments() / environment.digest / "bin"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "python").symlink_to(Path(sys.executable).resolve())
        Script.objects.filter(wanted_environment=environment).update(environment=environment)
    Environment.objects.filter(requirements__contains="cryptography").update(
        state=Environment.State.FAILED,
        message="No version of `cryptography` fits `cryptography>=42`\nhint: is the package index reachable?",
    )


def plan(made: list[tuple[Sample, Script]], *, now: datetime, chance: random.Random) -> Run:
    """One finished run of one of the scripts, somewhere in the last month."""
    sample, script = chance.choice(made)
    began = now - timedelta(days=DAYS) * chance.random() - timedelta(minutes=5)
    status, reason = Status.SUCCEEDED, Reason.NONE
    if chance.random() < sample.trouble:
        status, reason, _ = chance.choices(BAD_ENDS, [weight for _, _, weight in BAD_ENDS])[0]
    seconds = min(
        sample.seconds * chance.lognormvariate(0, 0.25), (now - began).total_seconds() - 1
    )
    run = Run(
        script=script,
        version=script.version,
        environment=script.environment,
        status=status,
        reason=reason,
        created_at=began,
        announced_at=now,
        archived_at=now,
        timeout_s=script.timeout_s,
        **trigger_of(sample, script, began, chance),
    )
    if status in UNBORN:
        run.finished_at = began
    else:
        give_life(run, seconds, chance)
    return run


def trigger_of(
    sample: Sample, script: Script, began: datetime, chance: random.Random
) -> dict[str, object]:
    """What brought the run about: mostly its schedule."""
    schedule = script.schedules.all()[0] if sample.rhythm and chance.random() < 0.8 else None
    if schedule is None:
        return {"trigger": Trigger.MANUAL, "by": "ann"}
    kind = Trigger.STARTUP if schedule.kind == Schedule.Kind.STARTUP else Trigger.SCHEDULE
    return {
        "trigger": kind,
        "schedule": schedule,
        "due_at": began,
        "late_ms": chance.randrange(3, 40),
    }


def give_life(run: Run, seconds: float, chance: random.Random) -> None:
    """Times, exit code and resources of a run that did start."""
    run.handed_over_at = run.created_at
    run.started_at = run.created_at + timedelta(milliseconds=60)
    run.duration_s = seconds
    run.finished_at = run.started_at + timedelta(seconds=seconds)
    run.cpu_s = seconds * chance.uniform(0.05, 0.9)
    run.peak_memory_mb = chance.uniform(14, 220)
    if run.status == Status.SUCCEEDED:
        run.exit_code = 0
    elif run.reason == Reason.EXIT_CODE:
        run.exit_code = 1
    elif run.reason == Reason.SIGNAL:
        run.signal = "SIGKILL"
    elif run.reason == Reason.USER:
        run.cancelled_by = "ann"


def write_logs(runs: list[Run]) -> None:
    """Give these runs a folder with a log, as they look when they were folded."""
    for run in runs:
        run.folder = f"{paths.month(run.created_at)}/{run.pk}-{secrets.token_hex(4)}"
        folder = paths.run_folder(run.folder)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        log = log_of(run)
        (folder / output_log.LOG).write_bytes(log)
        with run_folder.opened(folder) as descriptor:
            assert descriptor is not None
            (folder / ARCHIVE).write_text(json.dumps(history.summary(run, descriptor)))
        run.log_bytes = run.output_bytes = len(log)
    Run.objects.bulk_update(runs, ["folder", "log_bytes", "output_bytes"], batch_size=BATCH)


def log_of(run: Run) -> bytes:
    """A log of a few dozen records; one that failed ends with a traceback."""
    assert run.started_at and run.duration_s is not None
    texts = [("O", f"{run} of {run.script}, {humanize.span(run.duration_s)}")]
    texts += [("E" if "warn" in line else "O", line) for line in islice(cycle(LINES), 30)]
    if run.reason == Reason.EXIT_CODE:
        texts += [("E", line) for line in TRACEBACK.splitlines()]
    moment, step = run.started_at.timestamp() * 1000, run.duration_s * 1000 / len(texts)
    return "".join(
        f"{moment + step * at:.0f} {stream} F {text}\n" for at, (stream, text) in enumerate(texts)
    ).encode()
