"""What other programs do with a running Tempo: the command `runscript`, and a client made of the API's document."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ninja.responses import NinjaJSONEncoder

from tempo_site.api import api
from tests.service import ROOT, TOKEN, Service, environment
from tests.test_docs_commands import typed_lines

pytestmark = pytest.mark.slow

TALKATIVE = """import sys
print("to stdout")
print("to stderr", file=sys.stderr)
sys.stdout.buffer.write(b"\\xff no newline")
sys.stdout.flush()
sys.exit(7)
"""
REPORT = """# /// script
# [tool.tempo.parameters]
# days = {type = "int", default = 7}
# recipient = {required = true}
# ///
"""
TERMINATED = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"

USE_CLIENT = """
import sys
sys.path.insert(0, {folder!r})
from tempo_client import AuthenticatedClient
from tempo_client.api.scripts import {create} as create
from tempo_client.models import ScriptIn
client = AuthenticatedClient(base_url={url!r}, token={token!r})
made = create.sync(client=client, body=ScriptIn(name="By a client", code="print(1)"))
print(made.slug, made.version, made.enabled)
"""


@pytest.fixture(scope="module")
def running(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One Tempo for all tests of this module."""
    with Service.copy_of(prepared, tmp_path_factory.mktemp("programs") / "service") as service:
        yield service


def test_the_commands_of_the_readme_do_what_it_says(running: Service, tmp_path: Path) -> None:
    running.make_script("Hello Tempo", "print('hello')")  # the one that a set-up makes
    text = (ROOT / "README.md").read_text().partition("## From the command line")[2]
    lines = "".join(re.findall(r"```sh\n(.*?)```", text.partition("## Where")[0], re.DOTALL))
    program = f"{sys.executable} {ROOT / 'manage.py'}"
    lines = lines.replace(".venv/bin/tempo", program).replace("curl ", "curl --fail --silent ")
    lines = lines.replace("http://127.0.0.1:8000", running.url)
    done = subprocess.run(
        ["bash", "-euc", lines],
        env=environment(running.data),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "hello" in done.stdout and '"cron": "30 2 * * *"' in done.stdout


def test_the_lines_of_the_other_documents_are_answered(running: Service, tmp_path: Path) -> None:
    slug = running.make_script("Deploy", "print('deployed')", folder="Ops")
    assert running.call("PUT", f"/scripts/{slug}/trigger", {"enabled": True})[0] == 200
    running.make_script("Report", REPORT)
    stands_for = {
        "https://tempo.example": running.url,
        "http://127.0.0.1:8000": running.url,
        "YOUR-KEY": TOKEN,
        "tempo_t_...": str(running.post(f"/scripts/{slug}/trigger/keys")["key"]),
        "/runs/7/": f"/runs/{running.run(slug)['id']}/",
        "tempo run ": f"{sys.executable} {ROOT / 'manage.py'} runscript ",
        "curl ": "curl --fail --silent --show-error ",
    }
    lines = [line for document, line in typed_lines() if is_typed(document, line)]
    assert len(lines) >= 7, lines
    text = "\n".join(lines)
    for told, true in stands_for.items():
        text = text.replace(told, true)
    done = subprocess.run(
        ["bash", "-euc", text],
        env={**environment(running.data), "KEY": TOKEN, "API": f"{running.url}/api/v1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "deployed" in done.stdout and '"action": "same"' in done.stdout
    inputs = [run["params"] for run in running.get("/runs?script=report")["items"]]
    assert inputs == [{"days": 3, "recipient": "ops"}] * 2


def is_typed(document: str, line: str) -> bool:
    """Whether the line is one for people, with all that it takes."""
    is_elsewhere = document in ("README.md", "CHANGELOG.md")
    return not is_elsewhere and bool(re.match(r"curl .*(\$API|http)|tempo run report ", line))


def test_it_follows_a_real_run_to_its_end(running: Service) -> None:
    talkative = running.make_script("Talkative", TALKATIVE)
    terminated = running.make_script("Terminated", TERMINATED)
    done = runscript(running, talkative)
    assert (done.returncode, done.stdout) == (7, b"to stdout\n\xff no newline")
    assert done.stderr.startswith(b"to stderr\n")
    assert b"Exit code 7: to stderr" in done.stderr
    assert runscript(running, terminated).returncode == 143


def runscript(service: Service, slug: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command to its end."""
    command = [sys.executable, str(ROOT / "manage.py"), "runscript", slug, "--follow"]
    return subprocess.run(
        command, env=environment(service.data), capture_output=True, timeout=60, check=False
    )


def test_a_typed_client_made_of_the_document_works(running: Service, tmp_path: Path) -> None:
    document = json.loads(json.dumps(api.get_openapi_schema(), cls=NinjaJSONEncoder))
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    (tmp_path / "config.yml").write_text(
        "project_name_override: tempo-client\npackage_name_override: tempo_client\npost_hooks: []\n"
        "content_type_overrides: {application/zip: application/octet-stream}\n"  # as docs/api.md says
    )
    generate = [
        "generate",
        "--path", str(tmp_path / "openapi.json"),
        "--config", str(tmp_path / "config.yml"),
        "--output-path", str(tmp_path / "client"),
        "--fail-on-warning",
    ]  # fmt: skip
    program = Path(sys.executable).with_name("openapi-python-client")
    done = subprocess.run([program, *generate], capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stdout + done.stderr
    create = document["paths"]["/api/v1/scripts"]["post"]["operationId"]
    use = USE_CLIENT.format(
        folder=str(tmp_path / "client"), create=create, url=running.url, token=TOKEN
    )
    done = subprocess.run([sys.executable, "-c", use], capture_output=True, text=True)
    assert done.stdout == "by-a-client 1 True\n", done.stderr
