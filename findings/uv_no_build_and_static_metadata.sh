#!/bin/sh
# uv 0.13.9: a source distribution whose PKG-INFO is 2.2 is resolved without running its build back end, and is refused
# by --no-build all the same.
#
# Metadata 2.2 promises that name, version and dependencies are not dynamic, so uv reads them and builds nothing. One
# would expect that `uv pip compile --no-build`, whose help promises not to run arbitrary code, takes such a package: it
# says that there are "no usable wheels". Whoever wants to lock without running code cannot say so by this option.
#
# Seen: "resolved: static==1.0", "back end: ", "with --no-build: refused, no usable wheels"
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv tool && tool/bin/pip install -q uv==0.13.9
uv="$work/tool/bin/uv"
export UV_CACHE_DIR="$work/cache" UV_NO_CONFIG=1
mkdir -p packages static-1.0
cat > static-1.0/PKG-INFO <<'TEXT'
Metadata-Version: 2.2
Name: static
Version: 1.0
TEXT
cat > static-1.0/pyproject.toml <<'TEXT'
[project]
name = "static"
version = "1.0"
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
TEXT
echo "open('$work/backend.ran', 'w').write('ran')" > static-1.0/backend.py
tar czf packages/static-1.0.tar.gz static-1.0
echo static > requirements.txt
compile() {
    "$uv" pip compile -q --no-index --find-links packages --no-header --no-annotate "$@" requirements.txt
}
seen="resolved: $(compile)
back end: $(cat backend.ran 2>/dev/null || true)"
if compile --no-build >out 2>&1; then verdict=taken
elif tr -s ' \n' ' ' <out | grep -q 'no usable wheels'; then verdict="refused, no usable wheels"
else verdict=$(cat out); fi
seen="$seen
with --no-build: $verdict"
expected="resolved: static==1.0
back end: 
with --no-build: refused, no usable wheels"
echo "$seen"
[ "$seen" = "$expected" ] || { echo "this has changed" >&2; exit 1; }
