#!/bin/sh
# tomli-w 1.2.0: one entry of a list that gets longer than a line changes how all entries of the list are written.
#
# Settings written as TOML for git should change where something changed. A list of tables is written as an array of
# inline tables as long as each fits into 100 characters; as soon as one does not, all become [[sections]], and behind
# them in the file. One longer sentence in one schedule of three therefore rewrites each of them in the diff, and a
# comment or a patch that was made against the other form fits no more. The parsed values are the same.
#
# Seen: "short: 3 inline, 0 sections; one long: 0 inline, 3 sections; lines kept: 0 of 3"
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip -q --disable-pip-version-check install tomli-w==1.2.0
cat >write.py <<'TEXT'
import tomli_w


def written(note):
    jobs = [{"name": "one", "note": note}, {"name": "two"}, {"name": "three"}]
    return tomli_w.dumps({"job": jobs}).splitlines()


def inline(lines):
    return [line for line in lines if line.strip().startswith("{")]


def sections(lines):
    return [line for line in lines if line == "[[job]]"]


before, after = written("short"), written("a sentence " * 9)
print(
    f"short: {len(inline(before))} inline, {len(sections(before))} sections; "
    f"one long: {len(inline(after))} inline, {len(sections(after))} sections; "
    f"lines kept: {len(set(inline(before)) & set(after))} of 3"
)
TEXT
seen=$(venv/bin/python write.py)
echo "$seen"
expected="short: 3 inline, 0 sections; one long: 0 inline, 3 sections; lines kept: 0 of 3"
[ "$seen" = "$expected" ] || { echo "this has changed" >&2; exit 1; }
