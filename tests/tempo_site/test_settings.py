"""Settings, read from a real environment by a real process."""

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from tests.service import ROOT, environment

TELL = """
import json
from tempo_site import settings
names = [name for name in dir(settings) if name.isupper()]
print(json.dumps({name: getattr(settings, name) for name in names}, default=str))
"""
SECRET = "kd83-Xw_0pLq29vBz71MnR5tYhJc46Ge"
# What people paste: the environment of the compose file that Tempo was promised to start with.
SAMPLE = {
    "PYSCHED_SECRET_KEY": "your-secret-key",
    "PYSCHED_DEFAULT_API_KEY": "your-api-key",
    "PYSCHED_RATE_LIMIT_ENABLED": "true",
}


def told(data: Path, **variables: str) -> dict[str, object]:
    """The settings as a process with these variables sees them."""
    done = subprocess.run(
        [sys.executable, "-c", TELL],
        cwd=ROOT,
        env=environment(data, **variables),
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()
    values: dict[str, object] = json.loads(done.stdout)
    return values


def checked(data: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """What `manage.py check` says with these variables."""
    command = [sys.executable, str(ROOT / "manage.py"), "check"]
    return subprocess.run(
        command,
        env=environment(data, **variables),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_sample_secret_is_ignored_and_said_so(tmp_path: Path) -> None:
    values = told(tmp_path, **SAMPLE)
    assert values["SECRET_KEY"] == (tmp_path / "secret_key").read_text()
    assert "PYSCHED_SECRET_KEY" in str(values["SECRET_KEY_NOTICE"])


def test_a_real_secret_is_used_and_none_generated(tmp_path: Path) -> None:
    values = told(tmp_path, PYSCHED_SECRET_KEY=SECRET)
    assert (values["SECRET_KEY"], values["SECRET_KEY_NOTICE"]) == (SECRET, "")
    assert not (tmp_path / "secret_key").exists()


def test_check_passes_with_the_sample_environment_and_warns(tmp_path: Path) -> None:
    done = checked(tmp_path, **SAMPLE)
    assert done.returncode == 0
    assert "tempo.W001" in done.stderr and "HINT" in done.stderr


def test_a_relative_data_path_is_made_absolute(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    values = told(tmp_path, PYSCHED_DATA_PATH=os.path.relpath(tmp_path / "elsewhere", ROOT))
    assert Path(str(values["DATA_PATH"])).resolve() == tmp_path / "elsewhere"


def test_a_tilde_in_the_data_path_is_the_home_folder(tmp_path: Path) -> None:
    values = told(tmp_path, PYSCHED_DATA_PATH="~/tempo", HOME=str(tmp_path))
    assert values["DATA_PATH"] == str(tmp_path / "tempo")


def test_debug_is_off_unless_asked_for(tmp_path: Path) -> None:
    assert told(tmp_path)["DEBUG"] is False


def test_the_queue_is_set_up_as_the_engine_needs_it(tmp_path: Path) -> None:
    cluster = told(tmp_path)["Q_CLUSTER"]
    expected = {
        "scheduler": False,
        "ack_failures": True,
        "max_attempts": 1,
        "recycle": 0,
        "save_limit": 50,
        "poll": 0,
    }
    assert isinstance(cluster, dict) and expected.items() <= cluster.items()


def test_no_acknowledged_commit_can_be_lost(tmp_path: Path) -> None:
    databases = str(told(tmp_path)["DATABASES"])
    # That a log is kept is a property of the file: see bootstrap/test_database.py.
    assert "synchronous=FULL" in databases and "'IMMEDIATE'" in databases


# Each start of a process has as many of them as there are variables.
@pytest.mark.parametrize(
    "impossible",
    [
        {
            "PYSCHED_GRACE": "-1",
            "PYSCHED_TIME_ZONE": "Mars/Base",
            "PYSCHED_SCRIPT_USERS": "0-10",
            "PYSCHED_EXTRA_WRITE_PATHS": "exports",
            "PYSCHED_MAX_SCRIPT_TIMEOUT": "299",
            "PYSCHED_REQUIRE_ISOLATION": "perfect",
            "PYSCHED_PUBLIC_URL": "tempo.example.org",
            "PYSCHED_TRUSTED_PROXIES": "10.0.0.5/8",
            "PYSCHED_HSTS": "later",
            "PYSCHED_RATE_LIMIT_ENABLED": "maybe",
        },
        {
            "PYSCHED_GRACE": "soon",
            "PYSCHED_PUBLIC_URL": "https://example.org/tempo",
            "PYSCHED_TRUSTED_PROXIES": "0.0.0.0/0",
        },
        {"PYSCHED_TRUSTED_PROXIES": "localhost"},
    ],
)
def test_each_impossible_value_is_named_without_a_traceback(
    tmp_path: Path, impossible: dict[str, str]
) -> None:
    done = checked(tmp_path, **impossible)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    errors = {line: after for line, after in pairwise(lines) if "(tempo.E" in line}
    assert len(errors) == len(impossible)
    for variable, value in impossible.items():
        (error,) = (line for line in errors if variable in line)
        assert value in error
        assert errors[error].startswith("\tHINT: ")


@pytest.mark.parametrize(
    ("variable", "name", "value"),
    [
        ("PYSCHED_GRACE", "STOP_GRACE_S", 10),
        ("PYSCHED_TIME_ZONE", "TIME_ZONE", "UTC"),
        ("PYSCHED_ALLOWED_HOSTS", "HOST_PATTERNS", []),
        ("PYSCHED_DATA_PATH", "DATA_PATH", str(ROOT / "data")),
    ],
)
def test_an_empty_variable_counts_as_not_given(
    tmp_path: Path, variable: str, name: str, value: object
) -> None:
    # Compose files hand over `VARIABLE=` for what is not set. The secret keeps one from being made in the checkout.
    assert told(tmp_path, PYSCHED_SECRET_KEY=SECRET, **{variable: ""})[name] == value


def test_the_public_address_and_the_proxies_are_read(tmp_path: Path) -> None:
    values = told(
        tmp_path,
        PYSCHED_PUBLIC_URL="https://Tempo.example.org:443/",
        PYSCHED_TRUSTED_PROXIES="10.0.0.5, 172.16.0.0/12,fd00::/8",
    )
    assert values["PUBLIC_URL"] == "https://tempo.example.org"
    assert values["CSRF_TRUSTED_ORIGINS"] == ["https://tempo.example.org"]
    assert values["TRUSTED_PROXIES"] == ["10.0.0.5/32", "172.16.0.0/12", "fd00::/8"]
    assert values["SECURE_HSTS_SECONDS"] == 0


def test_a_secret_comes_from_a_file_and_the_variable_wins(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from the file\n")
    named = {"SMTP_PASSWORD_FILE": str(tmp_path / "secret")}
    values = told(tmp_path, **named)
    assert (values["SMTP_PASSWORD"], "SMTP_PASSWORD" in str(values["GIVEN_BY_ENVIRONMENT"])) == (
        "from the file",
        True,
    )
    assert told(tmp_path, **named, SMTP_PASSWORD="typed")["SMTP_PASSWORD"] == "typed"


def test_a_file_of_a_secret_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    done = checked(tmp_path, PYSCHED_SECRET_KEY_FILE=str(tmp_path / "gone"))
    assert done.returncode == 1
    assert "PYSCHED_SECRET_KEY_FILE" in done.stderr and str(tmp_path / "gone") in done.stderr
