"""The first member of a backup: what is inside, of which Tempo, with size and SHA-256 of each member."""

import json
from typing import Any

FORMAT = 1
NAME = "manifest.json"
DATABASE, SECRET_KEY, TIME_ZONE = "tempo.sqlite3", "secret_key", "time_zone"
SCRIPTS, RUNS = "scripts", "runs"
SINGLE = (DATABASE, SECRET_KEY, TIME_ZONE)
MAX_BYTES = 512 * 2**20  # a million members
LEFT_OUT_NAMED = 200
# How a backup begins: the kinds of compression, and under a passphrase.
ZSTD, GZIP = "zst", "gz"
MAGIC = {b"\x28\xb5\x2f\xfd": ZSTD, b"\x1f\x8b\x08": GZIP}
SEALED_MAGIC = b"tempo backup, sealed 1\n"

Manifest = dict[str, Any]


class BackupError(Exception):
    """A backup that cannot be made or used; the text is for people."""


def encode(manifest: Manifest) -> bytes:
    return json.dumps(manifest, ensure_ascii=True).encode()  # indented, it takes ten times as long


def decode(content: bytes) -> Manifest:
    """Return the manifest of a backup that this Tempo can read. Raise BackupError."""
    try:
        manifest = json.loads(content)
        made_by, made_in = str(manifest["tempo"]), int(manifest["format"])
        is_dict = isinstance(manifest["counts"], dict) and isinstance(manifest["migrations"], dict)
    except (ValueError, LookupError, TypeError) as error:
        raise BackupError("Its manifest is damaged.") from error
    if not is_dict:
        raise BackupError("Its manifest is damaged.")
    if made_in != FORMAT:
        raise BackupError(
            f"It was made by a newer Tempo, {made_by}, in format {made_in}.\n"
            f"hint: restore it with Tempo {made_by}"
        )
    manifest["bytes"] = sum(size for size, _digest in members_by_name(manifest).values())
    return dict(manifest)


def members_by_name(manifest: Manifest) -> dict[str, tuple[int, str]]:
    """Return size and SHA-256 of each member by its name. Raise BackupError."""
    try:
        return {
            str(member["name"]): (int(member["size"]), str(member["sha256"]))
            for member in manifest["members"]
        }
    except (ValueError, LookupError, TypeError) as error:
        raise BackupError("Its manifest is damaged.") from error


def summary(manifest: Manifest) -> Manifest:
    """Return the manifest without the long list of members."""
    return {name: value for name, value in manifest.items() if name != "members"}
