"""What the program can do. An order is JSON; passphrase and secret key come by the environment.

Verbs: `create`, `verify`, `look` and `unpack`. Prints lines for people, `look` the manifest; what is wrong goes to
standard error, with exit status 1.
"""

import json
import os
import resource
import sqlite3
import sys
from pathlib import Path
from typing import Any

from tempo_site.backups.archive import creation, manifest, reading, unpacking
from tempo_site.backups.archive.manifest import BackupError

PASSPHRASE, KEY = "TEMPO_BACKUP_PASSPHRASE", "TEMPO_BACKUP_SECRET_KEY"
NICENESS = 10
MAX_MEMORY = 2**30


def main(verb: str, order: str) -> int:
    os.nice(NICENESS)
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_MEMORY, MAX_MEMORY))
    try:
        VERBS[verb](json.loads(order))
    except BackupError as error:
        return _refuse(str(error))
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        return _refuse(f"{error.strerror or error}{where}.")
    except sqlite3.Error as error:
        return _refuse(f"The database could not be copied: {error}.")
    return 0


def _create(order: Any) -> None:
    made = creation.create(order, passphrase=_passphrase(), secret_key=os.environ.get(KEY, ""))
    _say(made)
    print(f"The backup is {order['out']}; it was read back, and is as it should be.", flush=True)


def _verify(order: Any) -> None:
    path, work = Path(order["file"]), Path(order["work"])
    found = unpacking.unpack(
        path, work, passphrase=_passphrase(), only_database=not order["is_full"]
    )
    _say(found)
    if order["facts"]:
        with path.open("rb") as file:
            digest = reading.digest_of(file)
        reading.write_facts(Path(order["facts"]), path, found, digest, reading.is_sealed(path))
    print("Every byte is as it was when it was made.", flush=True)


def _look(order: Any) -> None:
    with reading.opened(Path(order["file"]), passphrase=_passphrase()) as backup:
        print(json.dumps(manifest.summary(backup.manifest)))


def _unpack(order: Any) -> None:
    found = unpacking.unpack(Path(order["file"]), Path(order["target"]), passphrase=_passphrase())
    _say(found)
    print("Unpacked and compared with its manifest.", flush=True)


VERBS = {"create": _create, "verify": _verify, "look": _look, "unpack": _unpack}


def _say(found: manifest.Manifest) -> None:
    counts = found["counts"]
    scripts, runs = counts.get("scripts_app_script", 0), counts.get("runs_app_run", 0)
    files = len(found["members"])
    lines = [
        f"Tempo {found['tempo']}, {found['created_at']}: {scripts} scripts, {runs} runs, {files} files.",
        *(f"Left out: {left['name']}: {left['reason']}." for left in found["left_out"]),
    ]
    print("\n".join(lines), flush=True)


def _passphrase() -> str:
    return os.environ.get(PASSPHRASE, "")


def _refuse(sentence: str) -> int:
    sys.stderr.write(f"{sentence}\n")
    return 1
