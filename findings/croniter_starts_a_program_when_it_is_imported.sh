#!/bin/sh
# croniter 7.0.0: `import croniter` starts a program. To learn whether the machine has 32 bits it asks
# `platform.architecture()`, which runs `file -b` on the interpreter, whichever program of that name comes first in
# PATH; the pointer size, which it has asked before, says the same. So a fork and up to 10 ms go with each start of
# whatever schedules by it, and of django-q2 as well; under a seccomp profile without exec, or a limit of processes,
# the import is where that is met first.
#
# Seen: "started by the import: file -b"
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip -q --disable-pip-version-check install croniter==7.0.0
cat >ask.py <<'TEXT'
import sys

started = []


def hear(event, arguments):
    if event == "subprocess.Popen":
        started.append(" ".join(arguments[1][:2]))


sys.addaudithook(hear)
import croniter  # noqa: E402, F401

print("started by the import:", ", ".join(started) or "nothing")
TEXT
seen=$(venv/bin/python ask.py)
echo "$seen"
expected="started by the import: file -b"
[ "$seen" = "$expected" ] || { echo "this has changed" >&2; exit 1; }
