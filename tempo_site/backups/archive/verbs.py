"""What the program can do. An order is JSON; passphrase and secret key come by the environment.

Verbs: `create`, `verify`, `look`, `unpack`, `copy`. Prints lines for people, `look` the manifest; what is wrong goes to
standard error, with exit status 1.
"""

import json
import os
import resource
import shutil
import sqlite3
import sys
from pathlib import Path
from typing import Any

from tempo_site.backups.archive import copying, creation, manifest, reading, unpacking
from tempo_site.backups.archive.manifest import BackupError

PASSPHRASE, KEY = "TEMPO_BACKUP_PASSPHRASE", "TEMPO_BACKUP_SECRET_KEY"
NICENESS = 15
MAX_MEMORY = 2**30
TOO_MANY = (
    "It has more files than 1 GB of memory can list.\nhint: leave the logs out, or keep fewer runs"
)


def main(verb: str, text: str) -> int:
    os.nice(NICENESS)
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_MEMORY, MAX_MEMORY))
    order = json.loads(text)
    try:
        found = VERBS[verb](order)
    except BackupError as error:
        return _refuse(order, str(error))
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        return _refuse(order, f"{error.strerror or error}{where}.")
    except sqlite3.Error as error:
        return _refuse(order, f"The database could not be copied: {error}.")
    except MemoryError:
        return _refuse(order, TOO_MANY)
    _report(order, manifest.summary(found))
    return 0


def _create(order: Any) -> manifest.Manifest:
    made = creation.create(order, passphrase=_passphrase(), secret_key=os.environ.get(KEY, ""))
    _say(made)
    print(f"The backup is {order['out']}; it was read back, and is as it should be.", flush=True)
    return {**made, "name": Path(order["out"]).name}


def _verify(order: Any) -> manifest.Manifest:
    path, work = Path(order["file"]), Path(order["work"])
    shutil.rmtree(work, ignore_errors=True)  # of one that was killed
    work.mkdir(mode=0o700)
    try:
        found = unpacking.unpack(
            path, work, passphrase=_passphrase(), only_database=not order["is_full"]
        )
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _say(found)
    if order["facts"]:
        with path.open("rb") as file:
            digest = reading.digest_of(file)
        reading.write_facts(Path(order["facts"]), path, found, digest, reading.is_sealed(path))
    print("Every byte is as it was when it was made.", flush=True)
    return found


def _look(order: Any) -> manifest.Manifest:
    with reading.opened(Path(order["file"]), passphrase=_passphrase()) as backup:
        print(json.dumps(manifest.summary(backup.manifest)))
        return backup.manifest


def _unpack(order: Any) -> manifest.Manifest:
    target = Path(order["target"])
    try:
        found = unpacking.unpack(Path(order["file"]), target, passphrase=_passphrase())
    except BaseException:
        _empty(target)
        raise
    _say(found)
    print("Unpacked and compared with its manifest.", flush=True)
    return found


def _empty(folder: Path) -> None:
    for part in folder.iterdir():
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink()


def _copy(order: Any) -> manifest.Manifest:
    path, place = Path(order["file"]), Path(order["place"])
    copying.copy(path, place)
    for name in order["remove"]:
        (place / Path(name).name).unlink(missing_ok=True)
    print(f"Copied to {place}, and read back there.", flush=True)
    return {"name": path.name}


VERBS = {"create": _create, "verify": _verify, "look": _look, "unpack": _unpack, "copy": _copy}


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


def _refuse(order: Any, sentence: str) -> int:
    sys.stderr.write(f"{sentence}\n")
    _report(order, {"error": sentence})
    return 1


def _report(order: Any, content: manifest.Manifest) -> None:
    if "result" not in order:
        return
    try:
        Path(order["result"]).write_text(json.dumps(content))
    except OSError as error:  # a full disk: the log says it all the same
        sys.stderr.write(f"{error}\n")
