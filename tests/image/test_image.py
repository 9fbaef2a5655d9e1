"""The image as people start it: size, rights, users, a NAS's variables, and the compose file that was promised."""

import subprocess
import urllib.parse
from pathlib import Path

import pytest

from tests.image.engine import BASE, CAPABILITIES, CLOSED, TAG, Container, Engine, settled
from tests.image.usage import ask, finished, log_in, new_key, ran
from tests.service import wait_for
from tests.tempo_site.pages.test_links import HREF
from tests.test_dockerfile import PROMISED

pytestmark = pytest.mark.image

MB = 10**6
MOST = 200  # pages, breadth first
SCRIPT = """
import os, subprocess, time
umask = os.umask(0)
print(os.getuid(), f"{umask:03o}", time.tzname[0])
subprocess.run(["ssh", "-V"], check=True)
subprocess.run(["rsync", "--version"], check=True)
"""


def test_it_is_small(engine: Engine) -> None:
    assert engine.size(TAG) - engine.size(BASE) <= 200 * MB


def test_its_sqlite_loses_no_pages(engine: Engine) -> None:
    code = "import sqlite3; print(sqlite3.sqlite_version)"
    version = engine.call("run", "--rm", "--entrypoint=python", TAG, "-c", code)
    assert tuple(map(int, version.strip().split("."))) >= (3, 51, 3)


def test_what_is_used_rarely_is_in_it(engine: Engine) -> None:
    code = (
        "import apprise, anymail, cryptography.fernet; print(apprise.Apprise().add('ntfy://h/t'))"
    )
    assert engine.call("run", "--rm", "--entrypoint=python", TAG, "-c", code).strip() == "True"
    assert "All checks passed" in engine.call("run", "--rm", "--entrypoint=sh", TAG, "-c", (
        "echo 'x = 1' >/tmp/a.py; ruff check --isolated --no-cache /tmp/a.py; uv --version"
    ))  # fmt: skip


def test_it_is_up_soon_with_little_memory_and_says_where(engine: Engine) -> None:
    with Container(engine, TAG):
        pass  # the pages of the image's files count for who reads them first
    with Container(engine, TAG) as container:
        assert container.cpu_s() < 4  # migrations alone would take two seconds
        assert settled(container, below_mb=70) <= 70
        said = container.said()
        assert "Set up Tempo: http://<this machine>:8000/setup/" in said
        assert "isolation grade=strong" in said


def test_every_page_of_it_opens(engine: Engine) -> None:
    with Container(engine, TAG, *CLOSED, *CAPABILITIES) as container:
        container.tempo("addscript", "/app/manage.py", "--name=Nightly", "--cron=5 4 * * *")
        browser = log_in(container)
        seen, waiting = set[str](), ["/", "/scripts/nightly/schedule/"]
        while waiting and len(seen) < MOST:
            address = waiting.pop(0)
            if address in seen:
                continue
            seen.add(address)
            with browser.opener.open(
                f"{container.url}{address}"
            ) as answer:  # raises at 404 and 500
                links = HREF.findall(answer.read(10 * MB).decode(errors="replace"))
                reached = [urllib.parse.urljoin(answer.url, link) for link in links]
            targets = [target.partition("#")[0].replace("&amp;", "&") for target in reached]
            waiting += [
                target.removeprefix(container.url)
                for target in targets
                if target.startswith(f"{container.url}/")
            ]
        assert {"/new-script/", "/scripts/nightly/schedule/", "/help/user-guide/"} <= seen


def test_a_backup_is_put_back_while_it_is_stopped(engine: Engine) -> None:
    options = (*CLOSED, *CAPABILITIES)
    with Container(engine, TAG, *options) as container:
        container.tempo("addscript", "/app/manage.py", "--name=Kept")
        backup = container.tempo("backup").strip()
        container.tempo("addscript", "/app/manage.py", "--name=Later")
        engine.call("stop", container.name)
        volume = ("--rm", f"--volumes-from={container.name}", *options, "--entrypoint=tempo")
        assert "Restored 1 script and" in engine.call("run", *volume, TAG, "restore", backup)
        container.start()
        said = container.tempo("listscripts")
        assert "kept" in said and "later" not in said


@pytest.mark.parametrize(
    ("options", "grade", "user"),
    [
        ((*CLOSED, *CAPABILITIES), "strong", "50000"),
        (CLOSED, "good", "0"),
        (("--user=1234:1234",), "good", "1234"),
        (("--env=PUID=99", "--env=PGID=100"), "strong", "50000"),
    ],
    ids=["closed", "powerless", "user", "unraid"],
)
def test_a_script_runs_whatever_is_taken_away(
    engine: Engine, options: tuple[str, ...], grade: str, user: str
) -> None:
    with Container(engine, TAG, *options, "--env=TZ=Europe/Berlin", "--env=UMASK=002") as container:
        run, text = ran(container, SCRIPT)
        assert (run["status"], run["isolation"]) == ("succeeded", grade), run
        assert text.startswith(f"{user} 002 CET") and "OpenSSH" in text


def test_another_python_is_installed_or_the_refusal_says_why(engine: Engine) -> None:
    with Container(engine, TAG) as container:
        key = new_key(container)
        run_id = ask(container, key, "POST", "/pythons", {"version": "3.13"})["run"]
        run = finished(container, key, run_id, limit_s=300)
        assert run["status"] == "succeeded" or run["message"], run


def test_the_promised_compose_file_starts(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "docker-compose.yml"
    path.write_text(PROMISED)
    command = ["docker-compose", "--file", str(path), "--project-name", "promised"]
    subprocess.run([*command, "up", "--detach"], env=engine.variables, check=True)
    try:
        with_port = Container(engine, TAG)
        with_port.url = "http://127.0.0.1:8000"
        wait_for(with_port.is_healthy, what="health", limit_s=60)
    finally:
        subprocess.run([*command, "down", "--volumes"], env=engine.variables, check=True)
