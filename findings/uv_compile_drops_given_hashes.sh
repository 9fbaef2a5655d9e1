#!/bin/sh
# uv 0.13.9: `uv pip compile --generate-hashes` does not look at the `--hash` of its input and writes those of the index.
#
# A requirements file with hashes says which files are meant. `uv pip sync --require-hashes` refuses a file with another
# hash; `uv pip compile` of the same text ends with 0 and a lock that has the index's hashes in their place, even where
# none of them was given. Who sends a locked file through it once more has lost the pins without a word.
#
# Seen: "compiled with 0: the index's hash", "installed with another hash: refused"
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv tool && tool/bin/pip install -q uv==0.13.9
uv="$work/tool/bin/uv"
export UV_CACHE_DIR="$work/cache" UV_NO_CONFIG=1
mkdir wheels
python3 - <<'PYTHON'
import zipfile
info = "pinned-1.0.dist-info"
members = {
    "pinned.py": "",
    f"{info}/METADATA": "Metadata-Version: 2.1\nName: pinned\nVersion: 1.0\n",
    f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: by-hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    f"{info}/RECORD": f"pinned.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n",
}
with zipfile.ZipFile("wheels/pinned-1.0-py3-none-any.whl", "w") as wheel:
    for name, text in members.items():
        wheel.writestr(name, text)
PYTHON
true_hash=$(sha256sum wheels/*.whl | cut -d' ' -f1)
other_hash=$(echo another file | sha256sum | cut -d' ' -f1)
echo "pinned==1.0 --hash=sha256:$other_hash" > requirements.txt
from="--no-index --find-links wheels"
status=0
"$uv" pip compile -q --generate-hashes --no-header --no-annotate $from requirements.txt > lock.txt || status=$?
if grep -q "$true_hash" lock.txt; then hash="the index's hash"; else hash=$(cat lock.txt); fi
"$uv" venv -q environment
if "$uv" pip sync -q --python environment/bin/python --require-hashes $from requirements.txt 2>/dev/null
then installed=installed; else installed=refused; fi
seen="compiled with $status: $hash
installed with another hash: $installed"
expected="compiled with 0: the index's hash
installed with another hash: refused"
echo "$seen"
[ "$seen" = "$expected" ] || { echo "this has changed" >&2; exit 1; }
