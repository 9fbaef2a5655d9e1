#!/bin/sh
# SQLite as in pysqlite3-binary 0.5.4: of two upper bounds of one column, only the one that is written first is sought by.
#
# A list of runs turns its pages by `id < cursor`, and a search adds `id <= newest`: stacked filters write one behind the
# other. One would expect the planner to begin at the smaller bound, as both are constants. It begins at the first that
# is written and tests each row against the other, so that a page that should cost some steps reads the table, and
# EXPLAIN QUERY PLAN shows an innocent SEARCH for both. `min(a, b)` in one term begins at the smaller one.
#
# Seen: "same plan: True; small bound first: few, large bound first: one for each row, min(): few"
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip -q --disable-pip-version-check install pysqlite3-binary==0.5.4
cat >ask.py <<'TEXT'
from pysqlite3 import dbapi2 as sqlite3

ROWS = 100_000
database = sqlite3.connect(":memory:")
database.execute("CREATE TABLE run (id INTEGER PRIMARY KEY)")
database.executemany("INSERT INTO run VALUES (?)", ((number,) for number in range(ROWS)))
QUERY = "SELECT id FROM run WHERE {} ORDER BY id DESC LIMIT 5"
ASKED = {
    "small first": ("id <= ? AND id < ?", (10, 9_999_999)),
    "large first": ("id < ? AND id <= ?", (9_999_999, 10)),
    "min": ("id <= min(?, ?)", (9_999_999, 10)),
}


def steps(where, values):
    counted = [0]

    def count():
        counted[0] += 1

    database.set_progress_handler(count, 1)
    rows = database.execute(QUERY.format(where), values).fetchall()
    database.set_progress_handler(None, 1)
    assert [row[0] for row in rows] == [10, 9, 8, 7, 6]
    return "few" if counted[0] < 100 else "one for each row" if counted[0] > ROWS else counted[0]


def plan(where, values):
    return database.execute("EXPLAIN QUERY PLAN " + QUERY.format(where), values).fetchall()[0][3]


found = {name: steps(*asked) for name, asked in ASKED.items()}
same = plan(*ASKED["small first"]) == plan(*ASKED["large first"])
print(
    f"same plan: {same}; small bound first: {found['small first']}, "
    f"large bound first: {found['large first']}, min(): {found['min']}"
)
TEXT
seen=$(venv/bin/python ask.py)
echo "$seen"
expected="same plan: True; small bound first: few, large bound first: one for each row, min(): few"
[ "$seen" = "$expected" ] || { echo "this has changed" >&2; exit 1; }
