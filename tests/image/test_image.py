"""The image as people start it: size, rights, users, a NAS's variables, and the compose file that was promised."""

import http.cookiejar
import json
import re
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.generator import files
from tests.image.engine import BASE, Container, Engine, settled, started
from tests.service import wait_for
from tests.tempo_site.pages.test_links import HREF
from tests.test_dockerfile import PROMISED

pytestmark = pytest.mark.image

TAG = "pyscheduler:latest"
MB = 10**6
CLOSED = ("--read-only", "--tmpfs=/tmp", "--security-opt=no-new-privileges", "--cap-drop=ALL")
CAPABILITIES = tuple(f"--cap-add={name}" for name in files.facts()["capabilities"])
MOST = 200  # pages, breadth first
PASSWORD = "correct horse 7"
SCRIPT = """
import os, subprocess, time
umask = os.umask(0)
print(os.getuid(), f"{umask:03o}", time.tzname[0])
subprocess.run(["ssh", "-V"], check=True)
subprocess.run(["rsync", "--version"], check=True)
"""


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine with the image of this checkout."""
    folder = tmp_path_factory.mktemp("engine")
    with started(folder) as engine:
        engine.build(TAG, folder / "base")
        yield engine


def ask(container: Container, key: str, method: str, path: str, body: object = None) -> Any:
    """The decoded answer of the API."""
    request = urllib.request.Request(f"{container.url}/api/v1{path}", method=method)
    request.add_header("Authorization", f"Bearer {key}")
    request.add_header("Content-Type", "application/json")
    if body is not None:
        request.data = json.dumps(body).encode()
    with urllib.request.urlopen(request, timeout=60) as answer:
        content = answer.read()
    return json.loads(content) if content.startswith((b"{", b"[")) else content.decode()


def ran(container: Container, code: str) -> tuple[dict[str, Any], str]:
    """A run of a script, once it has ended, and what it wrote."""
    key = re.findall(r"^\S{30,}$", container.tempo("createkey", "test"), re.MULTILINE)[0]
    slug = ask(container, key, "POST", "/scripts", {"name": "Test", "code": code})["slug"]
    run_id = ask(container, key, "POST", f"/scripts/{slug}/runs", {"confirm": True})["id"]

    def find() -> dict[str, Any] | None:
        run: dict[str, Any] = ask(container, key, "GET", f"/runs/{run_id}")
        return None if run["status"] in ("queued", "starting", "running") else run

    run = wait_for(find, what="the end of the run", limit_s=120)
    return run, str(ask(container, key, "GET", f"/runs/{run_id}/log"))


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


def log_in(container: Container) -> urllib.request.OpenerDirector:
    """A browser in which an admin, made by the command, has logged in."""
    container.engine.call(
        *("exec", container.name, "sh", "-c"),
        f"echo '{PASSWORD}' | tempo createadmin ann --password-file -",
    )
    jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    browser = urllib.request.build_opener(jar)
    page = browser.open(f"{container.url}/login/").read().decode()
    (token,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    form = {"username": "ann", "password": PASSWORD, "csrfmiddlewaretoken": token}
    browser.open(f"{container.url}/login/", urllib.parse.urlencode(form).encode())
    return browser


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
            with browser.open(f"{container.url}{address}") as answer:  # raises at 404 and 500
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
        engine.call("start", container.name)
        wait_for(container.is_healthy, what="health", limit_s=60)
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
        key = re.findall(r"^\S{30,}$", container.tempo("createkey", "test"), re.MULTILINE)[0]
        run_id = ask(container, key, "POST", "/pythons", {"version": "3.13"})["run"]

        def find() -> dict[str, Any] | None:
            run: dict[str, Any] = ask(container, key, "GET", f"/runs/{run_id}")
            return None if run["status"] in ("queued", "starting", "running") else run

        run = wait_for(find, what="the end of the installation", limit_s=300)
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
