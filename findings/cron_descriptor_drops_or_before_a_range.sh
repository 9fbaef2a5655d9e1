#!/bin/sh
# cron-descriptor 2.2.1 beside croniter 7.0.0: "or" is said before a day and a list of days, and not before a range.
#
# With a day of the month and a day of the week cron runs on both. The description of `0 9 1 * 1` says so: "on day 1 of
# the month, or on Monday". The one of `0 9 1 * 1-5` reads as if both must hold: "on day 1 of the month, Monday through
# Friday". croniter gives the true days: five of each week, and a Sunday that is the first of the month.
#
# Seen: the three sentences below, and "Sun 1, Mon 2, Tue 3" for November 2026.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv tool && tool/bin/pip install -q cron-descriptor==2.2.1 croniter==7.0.0
seen=$(tool/bin/python - <<'TEXT'
from datetime import datetime

from cron_descriptor import get_description
from croniter import croniter

for expression in ["0 9 1 * 1", "0 9 1 * 1,2", "0 9 1 * 1-5"]:
    print(f"{expression}: {get_description(expression)}")
times = croniter("0 9 1 * 1-5", datetime(2026, 11, 1))
print(", ".join(f"{times.get_next(datetime):%a %-d}" for _ in range(3)))
TEXT
)
expected="0 9 1 * 1: At 09:00 AM, on day 1 of the month, or on Monday
0 9 1 * 1,2: At 09:00 AM, on day 1 of the month, or on Monday and Tuesday
0 9 1 * 1-5: At 09:00 AM, on day 1 of the month, Monday through Friday
Sun 1, Mon 2, Tue 3"
echo "$seen"
[ "$seen" = "$expected" ] || { echo "this has changed" >&2; exit 1; }
