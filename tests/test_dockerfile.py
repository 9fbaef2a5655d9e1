"""The Dockerfile and compose.yaml, as far as they can be proven without Docker: read, and run as they stand."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import cron_descriptor
import pytest

from tempo_site.bootstrap import database
from tempo_site.lib import paths
from tests.service import ROOT, Service, environment

BASE = "python:3.12-slim"
SECRET = re.compile(r"(?i)(secret|password|token|api_key)\w*[= ]")


def meaning(text: str) -> list[str]:
    """The lines of a compose file that count, without comments."""
    return [
        line.partition(" #")[0].rstrip()
        for line in text.splitlines()
        if line.strip() and line.lstrip()[0] != "#"
    ]


# The compose file that Tempo was promised to start with.
PROMISED = """
services:
  pyscheduler:
    image: pyscheduler:latest
    ports:
      - "8000:8000"
    environment:
      - PYSCHED_DATA_PATH=/data
      - PYSCHED_SECRET_KEY=your-secret-key
      - PYSCHED_DEFAULT_API_KEY=your-api-key
      - PYSCHED_RATE_LIMIT_ENABLED=true
    volumes:
      - pysched_data:/data
    restart: unless-stopped
volumes:
  pysched_data:
"""


# What the project's own file says beside: how the image is made, and what its container may not do.
ADDED = meaning(
    """
    build: .
    stop_grace_period: 15s
    read_only: true
    tmpfs:
      - /tmp
    cap_drop:
      - ALL
    cap_add:
      - CHOWN
      - KILL
      - SETGID
      - SETUID
    security_opt:
      - no-new-privileges:true
"""
)


class Instruction(NamedTuple):
    """One instruction of a Dockerfile, lines joined."""

    name: str
    value: str

    @property
    def argv(self) -> list[str]:
        """What it runs, of one in the form of a list."""
        argv: list[str] = json.loads(self.value[self.value.index("[") :])
        return argv


def read(text: str) -> list[list[Instruction]]:
    """The instructions of each stage."""
    lines = [
        line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    stages: list[list[Instruction]] = []
    for name, _, value in (line.partition(" ") for line in joined.splitlines()):
        if name == "FROM":
            stages.append([])
        stages[-1].append(Instruction(name, value.strip()))
    return stages


BUILD, FINAL = read((ROOT / "Dockerfile").read_text())


def every(stage: list[Instruction], name: str) -> list[Instruction]:
    """The instructions of that name."""
    return [instruction for instruction in stage if instruction.name == name]


def only(name: str) -> Instruction:
    """The one instruction of that name of the image."""
    (found,) = every(FINAL, name)
    return found


def copied() -> list[tuple[str, str]]:
    """What is copied out of the project: source and destination."""
    pairs = []
    for instruction in every(BUILD, "COPY"):
        *sources, destination = instruction.value.split()
        pairs += [(source, destination) for source in sources]
    return pairs


# --- what it says --------------------------------------------------------------------------------------------------
def test_both_stages_begin_with_the_same_small_python() -> None:
    assert [stage[0].value for stage in (BUILD, FINAL)] == [f"{BASE} AS build", BASE]


def test_everything_that_is_copied_is_there() -> None:
    assert copied() and [source for source, _ in copied() if not (ROOT / source).exists()] == []


def test_packages_come_before_the_code_so_that_their_layer_is_kept() -> None:
    names = [instruction.name for instruction in BUILD]
    assert every(BUILD, "COPY")[0].value == "requirements.txt ./"
    assert names.index("RUN") < [index for index, name in enumerate(names) if name == "COPY"][1]


def test_the_image_gets_nothing_but_what_the_first_stage_made() -> None:
    assert [copy.value for copy in every(FINAL, "COPY")] == [
        "--from=build /opt/venv /opt/venv",
        "--from=build /app /app",
    ]


def test_nothing_is_downloaded_but_from_the_registries() -> None:
    said = " ".join(instruction.value for instruction in (*BUILD, *FINAL))
    assert not every(BUILD, "ADD") and not every(FINAL, "ADD")
    assert not re.search(r"https?://(?!127\.0\.0\.1)|\b(curl|wget|git)\b", said)


def test_no_secret_is_in_it() -> None:
    variables = [line.value for line in (*BUILD, *FINAL) if line.name in ("ENV", "ARG", "LABEL")]
    assert [value for value in variables if SECRET.search(value)] == []


def test_no_cache_is_left_in_it() -> None:
    (run,) = (run for run in every(FINAL, "RUN") if "apt-get" in run.value)
    assert run.value.rindex("apt-get install") < run.value.index("/var/lib/apt/lists/*")
    assert run.value.index("rm -rf") < run.value.index("/var/lib/apt/lists/*")


def test_byte_code_of_packages_code_and_python_is_compiled_in() -> None:
    runs = [run.value for run in (*every(BUILD, "RUN"), *every(FINAL, "RUN"))]
    assert [run.count("compileall") for run in runs] == [2, 2, 0, 2]
    lean = [run.count("-X no_debug_ranges -m compileall -q -j 0 -o 2") for run in runs]
    assert lean == [1, 1, 0, 1] and "stdlib" in runs[3]


def test_rhythms_are_put_into_words_by_what_is_left_of_the_packages(tmp_path: Path) -> None:
    shutil.copytree(Path(cron_descriptor.__file__).parent, tmp_path / "cron_descriptor")
    (removal,) = re.findall(r"&& (find [^&]* '\*\.mo' .*?-delete)", every(BUILD, "RUN")[0].value)
    subprocess.run(removal, shell=True, cwd=tmp_path, check=True)
    code = "from scripts_app.timing import cron_words; print(cron_words.describe('5 4 * * *'))"
    variables = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
    assert said.stdout == "At 04:05\n" and not list(tmp_path.glob("*/locale/de*.mo"))


def test_sqlite_is_one_that_loses_no_pages_or_the_image_is_not_made() -> None:
    assert "assert sqlite3.sqlite_version_info >= (3, 51, 3)" in every(FINAL, "RUN")[0].value


def test_what_scripts_call_for_is_in_it() -> None:
    (installed,) = re.findall(r"recommends\s+(ca-cert.*?)&&", every(FINAL, "RUN")[0].value)
    assert {"libnss-wrapper", "openssh-client", "rsync", "tini", "tzdata"} < set(installed.split())
    assert installed.split()[-1] == "$EXTRA_PACKAGES"


def test_tini_is_the_first_process_and_tempo_listens_to_everybody() -> None:
    assert only("ENTRYPOINT").argv == ["tini", "--", "python", "manage.py", "serve"]
    assert only("CMD").argv == ["--host", "0.0.0.0", "--port", "8000"]
    assert (only("EXPOSE").value, only("STOPSIGNAL").value) == ("8000", "SIGTERM")
    assert "tini" in every(FINAL, "RUN")[0].value


def test_it_starts_as_root_for_an_ordinary_user_with_its_data_in_a_volume() -> None:
    assert every(FINAL, "USER") == []
    assert only("VOLUME").value == "/data"
    assert set(only("ENV").value.split()) >= {
        "PYSCHED_DATA_PATH=/data",
        "PUID=1000",
        "PGID=1000",
        "TEMPO_CONTAINER=true",
    }


def test_the_way_to_the_data_is_open_before_it_becomes_a_volume() -> None:
    names = [instruction.name for instruction in FINAL]
    assert "mkdir --mode=1777 /data" in every(FINAL, "RUN")[-1].value
    assert names.index("RUN") < names.index("VOLUME")


def test_nothing_but_what_is_copied_reaches_the_builder() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    named = {line[1:] for line in lines if line.startswith("!")}
    assert lines.index("*") < min(index for index, line in enumerate(lines) if line.startswith("!"))
    assert named == {source.rstrip("/") for source, _ in copied()}


# --- the compose file ----------------------------------------------------------------------------------------------
def test_the_compose_file_means_what_was_promised() -> None:
    mine = meaning((ROOT / "compose.yaml").read_text())
    assert [line for line in mine if line not in ADDED] == meaning(PROMISED)


def test_it_gives_runs_the_time_they_need_to_end() -> None:
    (line,) = (
        line for line in meaning((ROOT / "compose.yaml").read_text()) if "stop_grace_period" in line
    )
    assert int(line.split()[-1].rstrip("s")) >= 10


# --- run as it stands ----------------------------------------------------------------------------------------------
class Image(Service):
    """The image's command on a copy of what the image holds."""

    def __init__(self, code: Path, data: Path) -> None:
        super().__init__(data)
        self.code = code
        self.log = code / "service.log"

    def command(self, name: str) -> list[str]:
        """A command of the image, with this Python, on this machine and a port that is free."""
        moved = {"python": sys.executable, "0.0.0.0": "127.0.0.1", "8000": str(self.port)}
        argv = [moved.get(word, word) for word in only(name).argv]
        return [word.replace("'127.0.0.1', 8000", f"'127.0.0.1', {self.port}") for word in argv]

    def start(self) -> None:
        """Start it and wait until it is healthy. Without tini: it is the image's."""
        command = [*self.command("ENTRYPOINT")[2:], *self.command("CMD")]
        variables = environment(
            self.data, PYSCHED_SECRET_KEY="your-secret-key", PYSCHED_DEFAULT_API_KEY="your-api-key"
        )
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.code,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.wait_until_healthy()

    def check(self) -> subprocess.CompletedProcess[str]:
        """The health check, as Docker runs it."""
        return subprocess.run(
            self.command("HEALTHCHECK"), capture_output=True, text=True, check=False, timeout=30
        )


@pytest.fixture(scope="module")
def image(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """A service of the files that the Dockerfile copies and makes and no others: database, byte code, static files."""
    folder = tmp_path_factory.mktemp("image")
    if (ROOT / "staticfiles").is_dir():
        shutil.copytree(ROOT / "staticfiles", folder / "staticfiles")
    for source, destination in copied():
        target = folder / destination
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target)
        else:
            target.mkdir(exist_ok=True)
            shutil.copy2(ROOT / source, target)
    shutil.copy2(prepared / paths.DATABASE, folder / database.EMPTY)
    with closing(sqlite3.connect(folder / database.EMPTY)) as empty:
        empty.execute("DELETE FROM auth_user")
        empty.commit()
    with Image(folder, folder / "data") as service:
        yield service


@pytest.mark.slow
def test_it_starts_from_the_files_it_holds_and_is_healthy(image: Image) -> None:
    done = image.check()
    assert (done.returncode, json.loads(done.stdout)["status"]) == (0, "ok"), done.stderr


@pytest.mark.slow
def test_the_samples_of_the_compose_file_are_ignored_and_it_says_so(image: Image) -> None:
    said = image.log.read_text()
    assert "PYSCHED_SECRET_KEY is a sample or too short and was ignored" in said
    assert "PYSCHED_DEFAULT_API_KEY" in said and "Set up Tempo: http" in said


@pytest.mark.slow
def test_an_ill_service_fails_the_health_check(image: Image) -> None:
    assert image.stop(signal.SIGTERM) == 0
    assert image.check().returncode != 0


# --- the checks see what they are for ------------------------------------------------------------------------------
def test_a_line_that_goes_on_is_one_instruction() -> None:
    ((first, run),) = read("# c\nFROM a AS b\nRUN one \\\n # c\n && two\n")
    assert (first.value, run) == ("a AS b", Instruction("RUN", "one && two"))


def test_a_secret_is_seen() -> None:
    assert SECRET.search("PYSCHED_SECRET_KEY=x") and not SECRET.search("PYSCHED_PUID=1000")
