#!/bin/sh
# django-q2 1.11.1: a daily schedule in the hour that a clock change skips runs an hour early from that day on.
#
# A daily schedule keeps its time of the day over a change of the clocks: 04:30 stays 04:30, since the difference of the
# two local times is taken off again. On the night on which 02:30 does not exist, that lands before the change, at
# 01:30; the next moment is computed from this one, so it stays 01:30 in summer, in winter and behind the next change.
# One expects 03:30 (or 02:30 again) for that night and 02:30 from the next one on. Weekly schedules do the same when
# their day is that Sunday. Monthly ones lose their day alike: the 31st becomes the 28th in February and stays the 28th.
# Nothing is logged; whoever plans a backup for 02:30 finds it in another window. Schedules of the type cron do neither.
#
# Seen: "04:30 -> 04:30; 02:30 -> 01:30, in winter 01:30, a year later 01:30; 31 -> 28, a year later 28"
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip -q --disable-pip-version-check install django-q2==1.11.1 Django==5.2.19 django-picklefield==3.4.0 tzdata==2025.2
cat >ask.py <<'TEXT'
from datetime import datetime
from zoneinfo import ZoneInfo

import django
from django.conf import settings

settings.configure(
    USE_TZ=True,
    TIME_ZONE="Europe/Berlin",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django_q"],
    Q_CLUSTER={"orm": "default", "timeout": 30, "retry": 60},
)
django.setup()

from django_q.models import Schedule

BERLIN, UTC = ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")


def until(schedule_type, first, *last):
    """The local time of the moment that follows `first` on or behind each of these days."""
    schedule = Schedule(schedule_type=schedule_type, next_run=first.astimezone(UTC))
    found = []
    for day in last:
        while schedule.next_run.astimezone(BERLIN).replace(tzinfo=None) < day:
            schedule.next_run = schedule.calculate_next_run()
        found.append(schedule.next_run.astimezone(BERLIN))
    return found


days = datetime(2026, 3, 30), datetime(2026, 12, 1), datetime(2027, 6, 1)
safe = until(Schedule.DAILY, datetime(2026, 3, 27, 4, 30, tzinfo=BERLIN), *days)
skipped = until(Schedule.DAILY, datetime(2026, 3, 27, 2, 30, tzinfo=BERLIN), *days)
months = until(
    Schedule.MONTHLY,
    datetime(2026, 1, 31, 12, tzinfo=BERLIN),
    datetime(2026, 3, 1),
    datetime(2027, 1, 1),
)
assert {f"{at:%H:%M}" for at in safe} == {"04:30"}
summer, winter, later = (f"{at:%H:%M}" for at in skipped)
print(
    f"04:30 -> 04:30; 02:30 -> {summer}, in winter {winter}, a year later {later};"
    f" 31 -> {months[0].day}, a year later {months[1].day}"
)
TEXT
seen=$(venv/bin/python ask.py)
echo "$seen"
test "$seen" = "04:30 -> 04:30; 02:30 -> 01:30, in winter 01:30, a year later 01:30; 31 -> 28, a year later 28"
