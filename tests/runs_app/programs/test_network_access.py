"""The server's own way into the network is the way of scripts and builds: its proxies, and whom it trusts."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runs_app.execution import execution
from runs_app.programs import driver
from runs_app.states import Status
from scripts_app.packages import index, interpreters
from tempo_site.lib import confined, network_access, paths
from tests.factories import make_run, make_script
from tests.scripts_app.script_template_files.doubles import certificate, tls_server

pytestmark = pytest.mark.django_db

LIMIT_S = 30
FOLDER = "2026-11/1-abcdef12"
CALL = """
import socket, ssl, sys
context = ssl.create_default_context()
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
    with context.wrap_socket(connection, server_hostname="localhost"):
        print("trusted")
"""


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in network_access.NAMES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A certificate that nobody knows, and the port of the server that shows it."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    file = certificate(folder, days=30)
    with tls_server(file) as port:
        yield file, port


def spec_of_run(**variables: str) -> tuple[list[str], dict[str, str]]:
    """What a script with these variables may read, and all its variables."""
    script = make_script()
    run = make_run(
        script, environment=script.environment, status=Status.STARTING, folder=FOLDER, timeout_s=7
    )
    execution.prepare_folder(run, variables)
    spec = json.loads((paths.run_folder(run.folder) / "spec.json").read_text())
    return spec["isolation"]["read"], spec["env"]


def says(code: str, port: int, *, read: list[str], env: dict[str, str]) -> str:
    """What a program says that may read no more than this."""
    python = str(interpreters.own().path)
    argv = [python, "-I", "-S", "-c", code, str(port)]
    command = confined.command(argv, read=[*confined.own_python(), *read])
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=LIMIT_S)
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_a_script_trusts_whom_the_server_trusts(
    name: str, authority: tuple[Path, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, port = authority
    read, env = spec_of_run()
    assert "CERTIFICATE_VERIFY_FAILED" in says(CALL, port, read=read, env=env)
    monkeypatch.setenv(name, str(file if name == "SSL_CERT_FILE" else hashed(file, tmp_path)))
    paths.run_folder(FOLDER).joinpath("spec.json").unlink()
    read, env = spec_of_run()
    assert "trusted" in says(CALL, port, read=read, env=env)


def hashed(file: Path, tmp_path: Path) -> str:
    """Two folders as OpenSSL wants them, the second with a link to the certificate."""
    answer = subprocess.run(
        ["openssl", "x509", "-hash", "-noout", "-in", str(file)],
        capture_output=True,
        text=True,
        check=True,
    )
    for name in ("empty", "hashed"):
        (tmp_path / name).mkdir()
    (tmp_path / "hashed" / f"{answer.stdout.strip()}.0").symlink_to(file)
    return f"{tmp_path}/empty:{tmp_path}/hashed"


def test_a_build_trusts_whom_the_server_trusts(
    authority: tuple[Path, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, port = authority
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    read = driver.isolation(write=[])["read"]
    assert "trusted" in says(CALL, port, read=read, env=index.variables())


def test_variables_of_other_programs_are_passed_on_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "REQUESTS_CA_BUNDLE": "/etc/a.pem",
        "CURL_CA_BUNDLE": "/etc/b.pem",
        "AWS_CA_BUNDLE": "/etc/c.pem",
        "NODE_EXTRA_CA_CERTS": "/etc/d.pem",
        "GIT_SSL_CAINFO": "/etc/e.pem",
        "PIP_CERT": "/etc/f.pem",
        "ALL_PROXY": "socks5://proxy.lan:1080",
        "all_proxy": "socks5://proxy.lan:1080",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    read, env = spec_of_run()
    assert given.items() <= env.items() and given.items() <= index.variables().items()
    bundles = {value for value in given.values() if value.startswith("/")}
    assert bundles <= set(read) and bundles <= set(driver.isolation(write=[])["read"])


def test_a_variable_of_the_script_replaces_the_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/ssl/company.pem")
    assert spec_of_run(SSL_CERT_FILE="/mnt/own.pem")[1]["SSL_CERT_FILE"] == "/mnt/own.pem"
