#!/bin/sh
# backports.zstd 1.8.0 (the module that Python 3.14 has as compression.zstd): a spoilt archive reads back as another text.
#
# gzip keeps a check sum of what was packed, and the command `zstd` writes one unless told not to; a backup that can be
# unpacked therefore seems a good one. `zstd.compress(data)` and `zstd.open(...)` write none: of the bits of a packed
# block that does not compress (photos, other archives) almost every one can flip and decompress() returns the wrong
# bytes without an error. With CompressionParameter.checksum_flag each flip is an error.
#
# Seen: "gzip: 0 of 100 unnoticed; zstd: 100 of 100; zstd with checksum_flag: 0 of 100"
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip -q --disable-pip-version-check install backports.zstd==1.8.0
cat >flip.py <<'TEXT'
import gzip
import random
import zlib

from backports import zstd

DATA = random.Random(1).randbytes(1000)  # as a photo is: it does not get smaller
FLIPS = range(500, 600)  # bytes in the middle


def with_checksum(data):
    return zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1})


def unnoticed(pack, unpack):
    found = 0
    for position in FLIPS:
        spoilt = bytearray(pack(DATA))
        spoilt[position] ^= 1
        try:
            found += unpack(bytes(spoilt)) != DATA
        except (zstd.ZstdError, zlib.error, OSError):
            pass
    return found


print(
    f"gzip: {unnoticed(gzip.compress, gzip.decompress)} of {len(FLIPS)} unnoticed; "
    f"zstd: {unnoticed(zstd.compress, zstd.decompress)} of {len(FLIPS)}; "
    f"zstd with checksum_flag: {unnoticed(with_checksum, zstd.decompress)} of {len(FLIPS)}"
)
TEXT
seen=$(venv/bin/python flip.py)
echo "$seen"
expected="gzip: 0 of 100 unnoticed; zstd: 100 of 100; zstd with checksum_flag: 0 of 100"
[ "$seen" = "$expected" ] || { echo "this has changed" >&2; exit 1; }
