"""What uv says, told to people who do not call it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import uv

from scripts_app.packages import index, uv_messages
from tests import local_index

LIMIT_S = 60


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a served index."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with local_index.served(tmp_path / "index") as address:
        monkeypatch.setenv("UV_DEFAULT_INDEX", address)
        yield tmp_path / "index"


def told(requirements: str, folder: Path) -> str:
    """What people read when uv does not find these."""
    (folder / "requirements.txt").write_text(requirements)
    argv = [uv.find_uv_bin(), "pip", "compile", "--only-binary", ":all:", "requirements.txt"]
    done = subprocess.run(
        argv, cwd=folder, env=index.variables(), capture_output=True, text=True, timeout=LIMIT_S
    )
    assert done.returncode == 1, done.stderr
    return uv_messages.in_our_words(done.stderr.strip())


def test_that_a_package_has_no_wheel_is_said_without_an_option_of_uv(packages: Path) -> None:
    local_index.add_source(packages, "tempo-source", "1.0")
    message = told("tempo-source", packages)
    assert "--no-build" not in message
    assert message.endswith(
        "hint: `tempo-source` has no wheel that fits: name a version that has one, choose another Python, "
        "or switch on `Allow building from source` in the script's settings"
    )


@pytest.mark.parametrize("name", ["json", "Asyncio", "zoneinfo"])
def test_what_is_part_of_python_is_taken_off_the_list(name: str, packages: Path) -> None:
    message = told(name, packages)
    assert message.endswith(
        f"hint: `{name.lower()}` is part of Python itself: take it off the list"
    )
    assert "did you mean" not in message


def test_a_misspelt_name_is_still_put_right(packages: Path) -> None:
    assert told("reqests", packages).endswith("hint: did you mean `requests`?")


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (
            "hint: `a` was requested with a pre-release marker (e.g., a>=2), "
            "but pre-releases weren't enabled (try: `--prerelease=allow`)",
            "pre-releases are taken only where a requirement names one: `>=2.0b1`",
        ),
        (
            "`a` can't be installed because it is marked as `--no-build` but has no binary distribution",
            "`a` has no wheel that fits",
        ),
        (
            "Failed to download. Try increasing UV_HTTP_TIMEOUT (current value: 15s).",
            "Failed to download. The index did not answer within 15s.",
        ),
    ],
)
def test_other_options_are_not_named_either(message: str, words: str) -> None:
    said = uv_messages.in_our_words(message)
    assert words in said
    assert "--" not in said and "UV_" not in said


def test_a_message_about_something_else_stays_as_it_is() -> None:
    assert uv_messages.in_our_words("No space left on device") == "No space left on device"
