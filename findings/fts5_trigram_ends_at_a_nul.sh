#!/bin/sh
# SQLite as in pysqlite3-binary 0.5.4: the trigram tokenizer of FTS5 ends at a NUL, the other tokenizers do not.
#
# Output of programs may hold a NUL (a tool that prints names for `xargs -0`, a piece of binary). SQLite keeps such a text
# whole, and with unicode61 both words around the NUL are found. With tokenize='trigram' everything behind it is missing
# from the index: no error, the row is there, integrity-check is content, and only the search knows less than the text.
#
# Seen: "unicode61 finds: before, behind; trigram finds: before; stored: 15 bytes; integrity-check: passed"
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip -q --disable-pip-version-check install pysqlite3-binary==0.5.4
cat >ask.py <<'TEXT'
from pysqlite3 import dbapi2 as sqlite3

database = sqlite3.connect(":memory:")
found = {}
for tokenizer in ["unicode61", "trigram"]:
    database.execute(f"CREATE VIRTUAL TABLE {tokenizer} USING fts5(line, tokenize='{tokenizer}')")
    database.execute(f"INSERT INTO {tokenizer} VALUES (?)", ["before \0 behind"])
    asked = f"SELECT rowid FROM {tokenizer} WHERE {tokenizer} MATCH ?"
    found[tokenizer] = [
        word for word in ["before", "behind"] if database.execute(asked, [word]).fetchall()
    ]
size = database.execute("SELECT length(CAST(line AS BLOB)) FROM trigram").fetchone()[0]
database.execute("INSERT INTO trigram(trigram) VALUES ('integrity-check')")
print(
    f"unicode61 finds: {', '.join(found['unicode61'])}; trigram finds: {', '.join(found['trigram'])}; "
    f"stored: {size} bytes; integrity-check: passed"
)
TEXT
seen=$(venv/bin/python ask.py)
echo "$seen"
expected="unicode61 finds: before, behind; trigram finds: before; stored: 15 bytes; integrity-check: passed"
[ "$seen" = "$expected" ] || { echo "this has changed" >&2; exit 1; }
