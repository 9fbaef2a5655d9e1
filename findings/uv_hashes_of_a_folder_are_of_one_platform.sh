#!/bin/sh
# uv 0.13.9: what `uv pip compile --generate-hashes` writes depends on where the wheels lie. With a package index it
# writes the hashes of a version's files for every platform, so the lock installs on another architecture. With the same
# files in a folder (`--no-index --find-links`) it writes the hash of the one file that fits this machine, though the others
# lie beside it: the lock of a machine without a network is refused on another architecture by `--require-hashes`.
#
# Output seen, 2026-11-29, on x86_64:
#   index: 2 of 2 wheels are in the lock; folder: 1 of 2
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check uv==0.13.9
mkdir wheels
for platform in manylinux2014_x86_64 manylinux2014_aarch64; do
    venv/bin/pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --python-version 3.11 \
        --platform "$platform" --dest wheels markupsafe==3.0.3
done
echo "markupsafe==3.0.3" > asked.txt
compile="venv/bin/uv pip compile --quiet --no-header --generate-hashes --python-version 3.11 asked.txt"
$compile > index.txt
$compile --no-index --find-links wheels > folder.txt
in_lock() {
    count=0
    for wheel in wheels/*.whl; do
        hash=$(sha256sum "$wheel" | cut -d' ' -f1)
        if grep -q "$hash" "$1"; then count=$((count + 1)); fi
    done
    echo "$count"
}
seen="index: $(in_lock index.txt) of 2 wheels are in the lock; folder: $(in_lock folder.txt) of 2"
echo "$seen"
[ "$seen" = "index: 2 of 2 wheels are in the lock; folder: 1 of 2" ] || { echo "this has changed" >&2; exit 1; }
