"""The command `serve`: one service on one data folder."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import django
import pytest
from django.core.management import CommandError, load_command_class

from tempo_site.lib import paths
from tempo_site.management.commands import serve
from tempo_site.web import byte_code
from tests.service import ROOT, Service, environment, free_port

OPTIONS: dict[str, Any] = {"host": "127.0.0.1", "port": 8000, "reload": False}


def serve_again(data: Path) -> subprocess.CompletedProcess[str]:
    """Run `manage.py serve` on a data folder to its end."""
    command = [sys.executable, str(ROOT / "manage.py"), "serve", "--port", str(free_port())]
    return subprocess.run(
        command, env=environment(data), capture_output=True, text=True, timeout=60, check=False
    )


def test_it_holds_the_data_folder() -> None:
    lock = serve.take_service_lock()
    with pytest.raises(CommandError, match="already runs") as refusal:
        serve.take_service_lock()
    os.close(lock)
    assert str(paths.data()) in str(refusal.value) and "hint: " in str(refusal.value)


def test_the_lock_is_free_again_when_its_holder_is_gone() -> None:
    os.close(serve.take_service_lock())
    lock = serve.take_service_lock()
    assert os.path.samestat(os.fstat(lock), paths.service_lock().stat())
    os.close(lock)


def test_the_lock_outlives_exec() -> None:
    lock = serve.take_service_lock()
    assert os.get_inheritable(lock)
    os.close(lock)


def test_the_launcher_gets_what_serve_was_asked_for() -> None:
    argv = serve.launcher_argv(9, OPTIONS | {"host": "::1", "port": 8123}, None)
    options, web = argv[: argv.index("--")], argv[argv.index("--") + 1 :]
    options = options[options.index("-I") :]
    assert options[1] == "-S"
    pairs = dict(zip(options[3::2], options[4::2], strict=True))
    assert (pairs["--host"], pairs["--port"], pairs["--lock-fd"]) == ("::1", "8123", "9")
    assert pairs["--data"] == str(paths.data())
    assert web[-1] == "web"


def test_reload_is_handed_to_web() -> None:
    assert serve.launcher_argv(9, OPTIONS | {"reload": True}, None)[-2:] == ["web", "--reload"]


def test_launcher_and_web_have_byte_code_without_docstrings() -> None:
    argv = serve.launcher_argv(9, OPTIONS, None)
    options, web = argv[: argv.index("--")], argv[argv.index("--") + 1 :]
    assert web[1:-2] == byte_code.FLAGS
    assert options[1 : options.index("-I")] == byte_code.FLAGS


def test_a_developer_has_byte_code_with_docstrings() -> None:
    argv = serve.launcher_argv(9, OPTIONS | {"reload": True}, None)
    assert "-OO" not in argv


def test_byte_code_that_was_not_made_at_set_up_is_not_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(django, "__file__", str(tmp_path / "__init__.py"))
    assert byte_code.flags() == []


def test_it_listens_on_this_machine_alone_unless_told_otherwise() -> None:
    parsed = (
        load_command_class("tempo_site", "serve").create_parser("manage.py", "serve").parse_args([])
    )
    assert (parsed.host, parsed.port) == ("127.0.0.1", 8000)


def test_a_second_serve_says_so_and_exits_with_1(tmp_path: Path) -> None:
    data = tmp_path / "held"
    (data / "run").mkdir(parents=True)
    with (data / "run" / "service.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = serve_again(data)
    assert done.returncode == 1
    assert f"Tempo already runs on the data folder {data}" in done.stderr
    assert "hint: " in done.stderr and "Traceback" not in done.stderr


def test_a_refused_serve_touches_nothing(tmp_path: Path) -> None:
    data = tmp_path / "held"
    (data / "run").mkdir(parents=True)
    with (data / "run" / "service.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        serve_again(data)
    assert not (data / "tempo.sqlite3").exists()


@pytest.mark.slow
def test_a_second_serve_leaves_the_first_at_work(service: Service) -> None:
    assert serve_again(service.data).returncode == 1
    assert service.is_healthy()
