"""What a container lives through: an upgrade, a restore from the page, secrets in files, a stop, a crash."""

import os
import urllib.error
from pathlib import Path
from typing import Any

import pytest

from tests.image.engine import CAPABILITIES, CLOSED, TAG, USER, Container, Engine
from tests.image.usage import Browser, ask, begin, finished, log, log_in, new_key, ran
from tests.service import wait_for
from tests.test_old_database import SCRIPTS, TOKEN, restored

pytestmark = pytest.mark.image

OPTIONS = (*CLOSED, *CAPABILITIES)
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open("begun", "a").write("once ")
print("began", flush=True)
time.sleep(600)
"""
SECRETS = {  # each variable that can be in a file, and the setting that it becomes
    "PYSCHED_SECRET_KEY": "SECRET_KEY",
    "PYSCHED_OLD_SECRET_KEY": "OLD_SECRET_KEY",
    "PYSCHED_ADMIN_PASSWORD": "ADMIN_PASSWORD",
    "PYSCHED_DEFAULT_API_KEY": "DEFAULT_API_KEY",
    "SMTP_PASSWORD": "SMTP_PASSWORD",
    "PYSCHED_EMAIL_API_KEY": "EMAIL_API_KEY",
    "PYSCHED_BACKUP_PASSPHRASE": "BACKUP_PASSPHRASE",
    "PYSCHED_MIRROR_TOKEN": "MIRROR_TOKEN",
}
READS_SECRETS = f"""
import os
print([name for name in os.environ if name.removesuffix("_FILE") in {[*SECRETS]}])
for name in {[*SECRETS]}:
    try:
        print(open("/run/secrets/" + name).read())
    except OSError as problem:
        print(type(problem).__name__)
"""


def slugs(container: Container, key: str) -> list[str]:
    """The scripts by name; none while it does not answer."""
    try:
        return sorted(row["slug"] for row in ask(container, key, "GET", "/scripts")["items"])
    except (urllib.error.URLError, ConnectionError):
        return []


def under_way(container: Container, key: str, code: str) -> int:
    """The number of a run whose script has begun."""
    run_id = begin(container, key, code)
    wait_for(lambda: "began" in log(container, key, run_id), what="its first line")
    return run_id


def test_a_backup_is_put_back_from_its_page(engine: Engine) -> None:
    with Container(engine, TAG, *OPTIONS) as container:
        browser, key = log_in(container), new_key(container)
        ask(container, key, "POST", "/scripts", {"name": "Kept", "code": "print('kept')"})
        made = finished(container, key, ask(container, key, "POST", "/backups", {})["id"])
        assert made["status"] == "succeeded", made
        (backup,) = ask(container, key, "GET", "/backups")["items"]
        before = slugs(container, key)
        ask(container, key, "POST", "/scripts", {"name": "Later", "code": "print('later')"})
        path = f"/backups/{backup['name']}/restore/"
        # It is refused while anything is under way, as a build may be.
        wait_for(lambda: "Unpacks a backup" in browser.send(path, sure="on"), what="a restore")
        wait_for(lambda: slugs(container, key) == before, what="what was there")
        assert "This is a restored Tempo" in Browser(container, "ann").page("/")
        run, text = ran(container, "import os; print(os.getuid())")
        assert (run["status"], run["isolation"]) == ("succeeded", "strong"), run
        assert int(text) >= 50000


def test_each_secret_can_be_in_a_file(engine: Engine, tmp_path: Path) -> None:
    secrets = {variable: f"{variable}-{'5ecret' * 6}" for variable in SECRETS}
    for variable, secret in secrets.items():
        path = tmp_path / variable
        path.write_text(f"{secret}\n")
        path.chmod(0o400)
        os.chown(path, USER, USER)
    tmp_path.chmod(0o755)
    named = [f"--env={variable}_FILE=/run/secrets/{variable}" for variable in SECRETS]
    options = (*OPTIONS, *named, "--env=PYSCHED_ADMIN_USER=ann")
    with Container(engine, TAG, *options, f"--volume={tmp_path}:/run/secrets:ro") as container:
        key = secrets["PYSCHED_DEFAULT_API_KEY"]
        run_id = begin(container, key, READS_SECRETS)
        assert finished(container, key, run_id)["status"] == "succeeded"
        assert log(container, key, run_id).split() == ["[]", *["PermissionError"] * len(SECRETS)]
        Browser(container, "ann", secrets["PYSCHED_ADMIN_PASSWORD"])
        ask(container, key, "POST", "/backups", {})
        wait_for(lambda: ask(container, key, "GET", "/backups")["items"], what="a backup")
        assert ask(container, key, "GET", "/backups")["items"][0]["encrypted"]
        assert "secret_key" not in container.call_as_web("ls", "/data").split()
        settings = f"[print(getattr(settings, name)) for name in {[*SECRETS.values()]}]"
        code = f"from django.conf import settings; {settings}"
        said = container.call_as_web("python", "manage.py", "shell", "--no-imports", "-c", code)
        assert said.split() == [*secrets.values()]
        assert not [secret for secret in secrets.values() if secret in container.said()]


def test_it_starts_on_the_data_folder_of_an_earlier_release(engine: Engine, tmp_path: Path) -> None:
    restored(tmp_path)
    with Container(engine, TAG, *OPTIONS, f"--volume={tmp_path}:/data") as container:
        assert "A backup was made before the database is brought up to date" in container.said()
        assert slugs(container, TOKEN) == sorted(SCRIPTS)
        run_id = begin(container, TOKEN, "print('after')")
        assert finished(container, TOKEN, run_id)["status"] == "succeeded"
        assert log(container, TOKEN, run_id) == "after\n"


def test_it_stops_in_time_while_a_script_runs_that_does_not_listen(engine: Engine) -> None:
    with Container(engine, TAG, *OPTIONS) as container:
        key = new_key(container)
        run_id = under_way(container, key, DEAF)
        engine.call("stop", "--time", "15", container.name)
        ended = engine.call("inspect", "--format", "{{.State.ExitCode}}", container.name)
        assert int(ended) == 0  # 137: the engine has killed it
        container.start()
        run = finished(container, key, run_id)
        assert (run["status"], run["reason"]) == ("cancelled", "shutdown"), run


def test_after_a_crash_what_ran_is_lost_and_what_waited_runs_once(engine: Engine) -> None:
    with Container(engine, TAG, *OPTIONS, "--env=PYSCHED_MAX_CONCURRENT_RUNS=1") as container:
        key = new_key(container)
        lost = under_way(container, key, DEAF)
        waited = begin(container, key, "open('begun', 'a').write('once ')")
        engine.call("kill", "--signal", "KILL", container.name)
        container.start()
        ends: list[dict[str, Any]] = [finished(container, key, run) for run in (lost, waited)]
        assert [end["status"] for end in ends] == ["lost", "succeeded"], ends
        for run in ends:
            path = f"/data/scripts/{run['script']}/files/begun"
            assert container.call_as_web("cat", path) == "once "
