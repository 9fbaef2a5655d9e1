"""Requirements with hashes: a lock of Tempo's own comes back in, and what is installed has one of these hashes."""

import hashlib
from pathlib import Path

import pytest

from scripts_app.environments.drivers import hashes
from scripts_app.environments.drivers.build_config import BuildError
from scripts_app.packages import requirements
from tests.scripts_app.environments.test_build_driver import build, built, index, result, say_hello

__all__ = ["index"]  # a fixture

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")
LOCK = f"""\
first==1.0 \\
    --hash={A} \\
    --hash={B}
second==2.0 \\
    --hash={C}
"""


def test_without_hashes_the_lock_stays_as_it_is() -> None:
    assert hashes.restrict(LOCK, "first==1.0\nsecond") == LOCK


def test_the_lock_keeps_the_hashes_that_are_named() -> None:
    allowed = hashes.restrict(LOCK, f"First==1.0 --hash={B} --hash={C}")
    assert allowed == LOCK.replace(f"    --hash={A} \\\n", "")


def test_all_hashes_of_a_package_may_be_named() -> None:
    assert hashes.restrict(LOCK, f"first==1.0 --hash={B} --hash={A}\nsecond==2.0") == LOCK


def test_a_package_without_a_file_of_these_hashes_is_not_locked() -> None:
    with pytest.raises(BuildError, match=r"^No file of `second==2\.0` .*\nhint: "):
        hashes.restrict(LOCK, f"second==2.0 --hash={B}")


@pytest.mark.usefixtures("index")
def test_a_lock_of_tempo_s_own_builds_the_same_environment() -> None:
    place = built("tempo-greeting<1.1")
    lock = "# Python 3.12.1\n" + result()["lock"]
    assert built(requirements.normalise(lock), name="again") == place
    assert say_hello(place).startswith("hello from tempo-greeting 1.0")


@pytest.mark.usefixtures("index")
def test_another_file_of_the_index_is_not_installed(index: Path) -> None:
    wheel = index / "files" / "tempo_greeting-1.0-py3-none-any.whl"
    right = hashlib.sha256(wheel.read_bytes()).hexdigest()
    lock = requirements.normalise(f"tempo-greeting==1.0 --hash=sha256:{right}")
    assert build(lock.replace(right, "0" * 64))[0] == 1
    assert "has a hash that the requirements name" in result()["error"]
    assert build(lock)[0] == 0
