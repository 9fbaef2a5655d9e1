#!/bin/sh
# uv 0.13.9: installing wheels only runs no code of theirs, until byte code is compiled.
#
# `uv pip install --only-binary :all:` unpacks a wheel and starts nothing of it. The same command with
# --compile-bytecode starts the environment's Python with its site packages, to compile by: a `.pth` file that the wheel
# has just brought is executed, with the rights and the variables (an index's log-in) of whoever installs. Later
# commands that ask the environment about itself (`uv pip check`, `uv pip list`) do not start it again while uv has
# cached the answer, and do without a cache.
#
# Seen: "unpacked: ", "compiled: ran", "listed, cached: ", "listed, no cache: ran"
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
info = "noisy-1.0.dist-info"
members = {
    "noisy.pth": "import os; os.environ.get('NOISE') and open(os.environ['NOISE'], 'w').write('ran')\n",
    "noisy.py": "",
    f"{info}/METADATA": "Metadata-Version: 2.1\nName: noisy\nVersion: 1.0\n",
    f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: by-hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    f"{info}/RECORD": f"noisy.pth,,\nnoisy.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n",
}
with zipfile.ZipFile("wheels/noisy-1.0-py3-none-any.whl", "w") as wheel:
    for name, text in members.items():
        wheel.writestr(name, text)
PYTHON
install() {
    "$uv" venv -q "$1"
    NOISE="$work/$1.noise" "$uv" pip install -q --python "$1/bin/python" --no-index --find-links wheels \
        --only-binary :all: $2 noisy
}
install plain ""
seen="unpacked: $(cat plain.noise 2>/dev/null || true)"
install compiled --compile-bytecode
seen="$seen
compiled: $(cat compiled.noise 2>/dev/null || true)"
NOISE="$work/list.noise" "$uv" pip list -q --python plain/bin/python >/dev/null
seen="$seen
listed, cached: $(cat list.noise 2>/dev/null || true)"
NOISE="$work/list.noise" "$uv" pip list -q --no-cache --python plain/bin/python >/dev/null
seen="$seen
listed, no cache: $(cat list.noise 2>/dev/null || true)"
expected="unpacked: 
compiled: ran
listed, cached: 
listed, no cache: ran"
echo "$seen"
[ "$seen" = "$expected" ] || { echo "this has changed" >&2; exit 1; }
