#!/bin/sh
# django-q2 1.11.1: after a pause, "every minute" makes up for all that was missed and the same as cron for one alone.
#
# The option `catch_up` is on by default, and says of schedules as such that each moment of a pause is made up for. So it
# is for the types minutes, hourly and daily, whose next moment is computed from the last one. The next moment of a cron
# schedule is computed from the clock, whatever `catch_up` says: ten minutes of rest are ten runs for one and a single
# run for the other, without a word in the log. For the same reason a cron schedule cannot begin later: the `next_run`
# that a new one is given is replaced when it is saved. One whose expression is changed keeps the moment of the old
# expression, since only new rows are computed.
#
# Seen: "missed 10: minutes 10 runs, cron 1 run; begins in a week: kept for minutes, at once for cron; changed: not computed"
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip -q --disable-pip-version-check install django-q2==1.11.1 Django==5.2.19 django-picklefield==3.4.0 croniter==6.0.0
cat >ask.py <<'TEXT'
from datetime import timedelta

import django
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

settings.configure(
    USE_TZ=True,
    SECRET_KEY="x",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django_q"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "ask.sqlite3"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    Q_CLUSTER={"orm": "default", "log_level": "ERROR", "timeout": 30, "retry": 60},
)
django.setup()
call_command("migrate", verbosity=0)

from django_q.brokers import get_broker
from django_q.models import OrmQ, Schedule
from django_q.scheduler import scheduler


def runs_behind_a_pause(**kind):
    """How many tasks come of a schedule of a minute that was due for the first time ten minutes ago."""
    schedule = Schedule.objects.create(func="time.time", **kind)
    Schedule.objects.update(next_run=timezone.now() - timedelta(minutes=9, seconds=30))
    for _pass in range(15):
        scheduler(broker=get_broker())
    schedule.delete()
    return OrmQ.objects.all().delete()[0]


minutes = runs_behind_a_pause(schedule_type=Schedule.MINUTES, minutes=1)
cron = runs_behind_a_pause(schedule_type=Schedule.CRON, cron="* * * * *")

next_week = timezone.now() + timedelta(days=7)
first = Schedule.objects.create(func="f", schedule_type=Schedule.MINUTES, minutes=1, next_run=next_week)
second = Schedule.objects.create(func="f", schedule_type=Schedule.CRON, cron="* * * * *", next_run=next_week)
first.refresh_from_db(), second.refresh_from_db()
begins = "at once" if second.next_run < timezone.now() + timedelta(minutes=2) else "kept"

before, second.cron = second.next_run, "0 0 1 1 *"
second.save()
second.refresh_from_db()
print(
    f"missed 10: minutes {minutes} runs, cron {cron} run;"
    f" begins in a week: {'kept' if first.next_run == next_week else 'lost'} for minutes, {begins} for cron;"
    f" changed: {'not computed' if second.next_run == before else 'computed'}"
)
TEXT
seen=$(venv/bin/python ask.py)
echo "$seen"
test "$seen" = "missed 10: minutes 10 runs, cron 1 run; begins in a week: kept for minutes, at once for cron; changed: not computed"
