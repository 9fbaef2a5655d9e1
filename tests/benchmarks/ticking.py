"""Works inside a process of its own on the data folder of its settings: many schedules, and one pass of the ticker."""

import json
import sys
import time
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone
from django_q.models import Schedule as Alarm

from runs_app import launcher_client
from runs_app.models import Run
from runs_app.scheduler import ticker
from scripts_app import scripts
from scripts_app.models import Schedule
from scripts_app.schedules import schedules

DAY_S = 86_400


def fill(count: int, code: str) -> None:
    """Make scripts with a daily schedule each, all of them due at the same second of tomorrow."""
    now = timezone.now()
    due = (now + timedelta(days=1)).replace(microsecond=0)
    for number in range(count):
        script = scripts.create(name=f"Daily {number}", code=code, by=None, now=now)
        daily = {"kind": Schedule.Kind.INTERVAL, "every_s": DAY_S, "start_at": due}
        schedules.save(Schedule(script=script, **daily), now=now)


def move_to(moment: float) -> None:
    """Have all these schedules due at another moment, in seconds since 1970."""
    due = datetime.fromtimestamp(moment, tz=timezone.get_default_timezone())
    Schedule.objects.update(start_at=due, anchor=due)
    Alarm.objects.filter(cluster=schedules.CLUSTER).update(next_run=due)


class Taker(launcher_client.LauncherClient):
    """Stands for the launcher, and starts nothing."""

    def __init__(self) -> None:
        pass

    def start(self, folder: str, *, secrets: Mapping[str, str] | None = None) -> int:
        return 1


def serve() -> None:
    """Serve every alarm as the engine does, in the second in which they are due, and print what it took as JSON."""
    launcher_client.launcher = Taker()
    alarms = list(Alarm.objects.filter(cluster=schedules.CLUSTER).order_by("pk"))
    (due,) = {alarm.next_run for alarm in alarms}
    began, cpu_began = time.monotonic(), time.process_time()
    while ticker.step(now=due):
        pass
    elapsed_s = time.monotonic() - began
    cpu_s = time.process_time() - cpu_began
    rows = list(Run.objects.filter(due_at=due).order_by("pk").values_list("schedule", flat=True))
    is_in_order = rows == [alarm.schedule.pk for alarm in alarms]
    told = {
        "elapsed_s": elapsed_s,
        "cpu_s": cpu_s,
        "rows": len(rows),
        "is_in_order": is_in_order,
        "bare_s": bare_s(len(rows)),
    }
    json.dump(told, sys.stdout)


def bare_s(count: int) -> float:
    """Seconds for as many rows of 200 bytes by SQL alone, each in a transaction of its own."""
    insert = "INSERT INTO bare (text) VALUES (%s)"
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bare (id integer PRIMARY KEY, text text)")
        began = time.monotonic()
        for _ in range(count):
            with transaction.atomic():
                cursor.execute(insert, ["-" * 200])
        return time.monotonic() - began
