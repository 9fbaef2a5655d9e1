#!/bin/sh
# cron-descriptor 2.2.1: English is a translation too, and there is no default behind it.
#
# A usual diet of images and frozen applications deletes the `*.mo` of packages, since gettext falls back to the words
# in the source, which are English here. cron-descriptor opens the file of the locale first, and where it is missing
# opens `en_US.mo` by name as its fallback, so that without translations nothing can be described: import, health
# checks and `pip check` are fine, and each expression raises FileNotFoundError. `en_US.mo` alone has to stay; it then
# serves every other language as well.
#
# Seen: "all: Every 5 minutes; without any: FileNotFoundError en_US.mo; with en_US.mo alone, German: Every 5 minutes"
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip -q --disable-pip-version-check install cron-descriptor==2.2.1
cat >ask.py <<'TEXT'
import pathlib
import shutil
import subprocess
import sys

import cron_descriptor

DESCRIBE = """
import cron_descriptor, os, sys
options = cron_descriptor.Options()
options.locale_code = sys.argv[1]
try:
    print(cron_descriptor.get_description("*/5 * * * *", options))
except FileNotFoundError as error:
    print("FileNotFoundError", os.path.basename(error.filename))
"""


def described(locale):
    done = subprocess.run(
        [sys.executable, "-c", DESCRIBE, locale], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


folder = pathlib.Path(cron_descriptor.__file__).parent / "locale"
kept = pathlib.Path("kept")
shutil.copytree(folder, kept)
seen = [described("en_US")]
for path in folder.glob("*.mo"):
    path.unlink()
seen.append(described("en_US"))
shutil.copy(kept / "en_US.mo", folder)
seen.append(described("de_DE"))
print(f"all: {seen[0]}; without any: {seen[1]}; with en_US.mo alone, German: {seen[2]}")
TEXT
seen=$(venv/bin/python ask.py)
echo "$seen"
expected="all: Every 5 minutes; without any: FileNotFoundError en_US.mo; with en_US.mo alone, German: Every 5 minutes"
[ "$seen" = "$expected" ] || { echo "this has changed" >&2; exit 1; }
