"""The program that looks an environment over: `examine QUESTION`, JSON on both sides. No code of a package runs."""

import fnmatch
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TypedDict

from scripts_app.environments.drivers import build_config, packages, start_program
from scripts_app.environments.drivers.build_config import BuildError

MAX_READY_BYTES = 64 * 1024**2
# What Python executes or imports. Other files, as caches that a library keeps beside itself, change nothing.
_CODE = re.compile(r"bin/.*|pyvenv\.cfg|.*\.(?:py|pyc|pyd|pth|so|so\.[0-9.]+)", re.DOTALL)
# Written later into an environment of an older Tempo.
_ADDED = f"lib/*/site-packages/{build_config.START_FILE}"
# What an environment consists of that was built before READY had the list.
_BARE = (
    "CACHEDIR.TAG",
    ".lock",
    ".gitignore",
    "pyvenv.cfg",
    "lib64",
    "bin/activate*",
    "bin/deactivate.bat",
    "bin/pydoc.bat",
    "bin/python*",
    "lib/python*/site-packages/_virtualenv.*",
    f"lib/python*/site-packages/{build_config.STACK_FILE}",
)


class Question(TypedDict):
    home: str
    environments: str  # the folder of all; a Python in there is none
    packages: list[str]  # normalized names, by the lock
    minor: str  # "3.12"
    uv: str
    work: str  # an empty folder


class ExaminedEnvironment(TypedDict):  # the last line of the output
    fault: str  # a sentence without full stop; "" without a fault


def main(question: str) -> int:
    asked: Question = json.loads(question)
    home = Path(asked["home"])
    fault = start_fault(asked, home) or files_fault(asked, home)
    try:
        answer = ExaminedEnvironment(fault=fault or requirements_fault(asked, home))
    except BuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"\n{json.dumps(answer)}")
    return 0


def start_fault(asked: Question, home: Path) -> str:
    """Start the Python behind the environment, without the environment, and look at the program that starts scripts."""
    python = os.path.realpath(home / "bin" / "python")
    if python.startswith(f"{os.path.realpath(asked['environments'])}/"):
        return "its Python was replaced"
    argv = [python, "-I", "-S", "-c", start_program.LOOK, *start_files(home)]
    try:
        answer = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
        )
    except OSError as error:
        return f"its Python does not start: {error.strerror}"
    if answer.returncode < 0:
        os.kill(os.getpid(), -answer.returncode)  # for whoever asked to see what it was
    if answer.returncode != 0:
        sys.stderr.write(answer.stderr)
        return f"its Python does not start: {complaint(answer)}"
    minor, *damaged = answer.stdout.splitlines() or [""]
    if minor != asked["minor"]:
        return f"it was made for Python {asked['minor']}, and its Python is {minor} now"
    if damaged:
        return f"its file {readable(os.path.relpath(damaged[0], home))} is damaged"
    return ""


def start_files(home: Path) -> list[str]:
    """Return the program that starts scripts, and its byte code; nothing where runs are not given that."""
    for start in home.glob(_ADDED):
        compiled = start_program.byte_code_of(start)
        if compiled:
            return [str(start), str(compiled)]
    return []


def complaint(answer: "subprocess.CompletedProcess[str]") -> str:
    lines = [line.strip() for line in answer.stderr.splitlines() if line.strip()]
    return "; ".join(lines[-3:]) or f"it ended with status {answer.returncode}"


def files_fault(asked: Question, home: Path) -> str:
    """Compare what is there with what the packages' RECORDs name."""
    try:
        by_folder = packages.recorded(home)
    except packages.DamagedRecord as error:
        return f"its file {error} cannot be read"
    by_name = {package_name(folder): rows for folder, rows in by_folder.items()}
    for name in asked["packages"]:
        if name not in by_name:
            return f"the package {name} is gone"
    try:
        known = own_files(home)
    except ValueError:
        return f"its file {build_config.READY} is damaged"
    for name, rows in by_name.items():
        damaged = [path for path, size in rows if not is_intact(home, path, size)]
        if damaged:
            fault = f"{count_of(len(damaged))} of the package {name} gone or changed"
            return f"{fault}, first of all {readable(damaged[0])}"
        known.update(path for path, _ in rows)
    foreign = [path for path in packages.unrecorded(home, known) if _CODE.fullmatch(path)]
    if foreign:
        return f"{count_of(len(foreign))} of code that no package brought, first of all {readable(foreign[0])}"
    return ""


def own_files(home: Path) -> set[str]:
    with (home / build_config.READY).open("rb") as file:
        ready = json.loads(file.read(MAX_READY_BYTES))
    patterns = [_ADDED]
    if "unrecorded" not in ready:
        patterns += _BARE
    return set(ready.get("unrecorded", ())) | {
        path
        for path in packages.files(home)
        if any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)
    }


def package_name(folder: str) -> str:
    name_and_version = folder.removesuffix(".dist-info")
    return re.sub(r"[-_.]+", "-", name_and_version.rpartition("-")[0]).lower()


def is_intact(home: Path, name: str, size: str) -> bool:
    if name.endswith(".pyc"):
        return True
    path = home / name
    try:
        status = path.stat()
    except FileNotFoundError:
        return False
    return not size.isdecimal() or status.st_size == int(size)


def requirements_fault(asked: Question, home: Path) -> str:
    python = os.path.realpath(home / "bin" / "python")
    conflict = packages.conflict(asked["uv"], python, home, Path(asked["work"]))
    if not conflict:
        return ""
    return "its packages do not fit together: " + conflict.replace("\n", "; ")


def count_of(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def readable(name: str) -> str:
    within_site = re.sub(r"lib/python[0-9.]+/site-packages/", "", name)
    return within_site.encode("utf-8", "replace").decode()
