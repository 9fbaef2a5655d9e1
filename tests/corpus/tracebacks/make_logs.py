"""Make the logs: run each case of `cases.toml` by its Pythons. `python -m tests.corpus.tracebacks.make_logs`

Needs Python 3.8 to 3.13 as pyenv installs them. Folders of this machine are replaced by the same words everywhere.
"""

import os
import signal
import subprocess
import tempfile
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PYTHONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13")
FILES = "/srv/tempo/scripts/demo/files"  # as which a script's folder appears in the logs
LIBRARY = "/opt/python"
VERSIONS = Path.home() / ".pyenv" / "versions"


def cases() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tomllib.loads((HERE / "cases.toml").read_text())["case"]
    return found


def pythons_of(case: dict[str, Any]) -> list[str]:
    return list(case.get("pythons", PYTHONS))


def log_of(case: dict[str, Any], python: str) -> Path:
    return HERE / "logs" / f"{case['name']}-{python}.txt"


def make_log(case: dict[str, Any], python: str) -> None:
    home = next(VERSIONS.glob(f"{python}.*"))
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {"main.py": case["code"], **case.get("files", {})}.items():
            file = Path(folder) / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        ended = subprocess.run(
            [str(home / "bin" / "python"), *case.get("flags", []), f"{folder}/main.py"],
            cwd=folder,
            env={"PATH": os.defpath, "PYTHONFAULTHANDLER": "1", **case.get("environment", {})},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
        )
        ending: int | str = ended.returncode
        if ended.returncode < 0:
            ending = signal.Signals(-ended.returncode).name
        if ending != case["exit"]:
            raise SystemExit(f"{case['name']} ended with {ending} under {python}")
        written = ended.stderr.replace(folder.encode(), FILES.encode())
        log_of(case, python).write_bytes(written.replace(str(home).encode(), LIBRARY.encode()))


def main() -> None:
    for case in cases():
        for python in pythons_of(case):
            make_log(case, python)


if __name__ == "__main__":
    main()
