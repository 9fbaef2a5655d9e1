#!/bin/sh
# SQLite as in pysqlite3-binary 0.5.4: a prepared statement that compares a parameter with the column of a partial
# index's condition is compiled anew at every execution, also when the value is the same as before.
#
# Rows that wait are few, so a queue gets an index WHERE status = 'queued', and a library that writes every value as a
# parameter (Django's ORM does) asks WHERE status = ?. One expects either that a partial index serves no parameter, or
# that a statement kept as prepared is compiled once. Neither is so: SQLite looks at the value, uses the index, and
# declares the statement expired whenever a parameter is bound, since another value may need another plan. The same
# question with the value written into its text is compiled once; so is the one with a parameter where the index has no
# condition. Nothing says so: EXPLAIN QUERY PLAN shows the same line for both.
#
# Seen: "executions 1000; compiled: parameter 1001, value in the text 1, parameter and whole index 1; same plan: True"
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip -q --disable-pip-version-check install pysqlite3-binary==0.5.4
cat >ask.py <<'TEXT'
from pysqlite3 import dbapi2 as sqlite3

EXECUTIONS = 1000
SELECT = 21  # SQLITE_SELECT: the authorizer is asked once for it whenever a SELECT is compiled
database = sqlite3.connect(":memory:")
database.execute("CREATE TABLE run (id INTEGER PRIMARY KEY, status TEXT, due INTEGER)")
database.executemany(
    "INSERT INTO run (status, due) VALUES (?, ?)",
    (("queued" if number % 100 == 0 else "done", number) for number in range(10_000)),
)
compiled = [0]


def asked(action, *names):
    compiled[0] += action == SELECT
    return 0


database.set_authorizer(asked)


def times_compiled(where, *values):
    query = f"SELECT due FROM run WHERE {where} ORDER BY due LIMIT 3"
    compiled[0] = 0
    for _ in range(EXECUTIONS):
        assert database.execute(query, values).fetchall() == [(0,), (100,), (200,)]
    return compiled[0]


def plan(where, *values):
    query = f"EXPLAIN QUERY PLAN SELECT due FROM run WHERE {where} ORDER BY due LIMIT 3"
    return [row[3] for row in database.execute(query, values)]


database.execute("CREATE INDEX waiting ON run (due) WHERE status = 'queued'")
by_parameter = times_compiled("status = ?", "queued")
by_text = times_compiled("status = 'queued'")
same = plan("status = ?", "queued") == plan("status = 'queued'")
database.execute("DROP INDEX waiting")
database.execute("CREATE INDEX by_status ON run (status, due)")
by_whole = times_compiled("status=?", "queued")  # another text, so that it is another statement
print(
    f"executions {EXECUTIONS}; compiled: parameter {by_parameter}, value in the text {by_text}, "
    f"parameter and whole index {by_whole}; same plan: {same}"
)
TEXT
seen=$(venv/bin/python ask.py)
echo "$seen"
expected="executions 1000; compiled: parameter 1001, value in the text 1, parameter and whole index 1; same plan: True"
[ "$seen" = "$expected" ] || { echo "this has changed" >&2; exit 1; }
