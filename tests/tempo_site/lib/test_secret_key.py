"""The secret key: samples are not taken, the generated one lasts."""

import os
import stat
import subprocess
import sys
from pathlib import Path

from tempo_site.lib import secret_key
from tests.rows import each_row
from tests.service import ROOT

GOOD = "kd83-Xw_0pLq29vBz71MnR5tYhJc46Ge"
TELL_KEY = """
import sys
from pathlib import Path
from tempo_site.lib import secret_key
print(secret_key.read_or_generate(Path(sys.argv[1])))
"""


@each_row(
    "value",
    [
        "",
        "your-secret-key",
        "YOUR-SECRET-KEY",
        " your-secret-key\n",
        "your-api-key",
        "change-me",
        "django-insecure-3fk29!vb_08zq7m6xw15rt4yhj2pd9lc",
        GOOD[:31],
        f"  {GOOD[:31]}  ",
        "a" * 64,
        "abcabcabcabcabcabcabcabcabcabcabcabc",
    ],
)
def test_a_sample_or_short_value_is_weak(value: str) -> None:
    assert secret_key.is_weak(value)


def test_thirty_two_random_characters_are_enough() -> None:
    assert not secret_key.is_weak(GOOD)


def test_a_real_key_of_the_operator_is_taken_without_a_word(tmp_path: Path) -> None:
    assert secret_key.choose(GOOD, tmp_path) == (GOOD, "")
    assert not (tmp_path / "secret_key").exists()


def test_without_a_key_one_is_generated_without_a_word(tmp_path: Path) -> None:
    key, notice = secret_key.choose("", tmp_path)
    assert not secret_key.is_weak(key)
    assert notice == ""


def test_a_sample_is_replaced_by_the_generated_key_and_said_so(tmp_path: Path) -> None:
    key, notice = secret_key.choose("your-secret-key", tmp_path)
    assert key == secret_key.choose("", tmp_path)[0]
    assert "PYSCHED_SECRET_KEY" in notice and "hint: " in notice
    assert "your-secret-key" not in notice


def test_the_generated_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    secret_key.choose("", tmp_path / "fresh")
    assert stat.S_IMODE((tmp_path / "fresh" / "secret_key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "fresh").stat().st_mode) == 0o700


def test_the_generated_key_stays_the_same(tmp_path: Path) -> None:
    assert secret_key.choose("", tmp_path) == secret_key.choose("", tmp_path)


def test_nothing_but_the_key_is_left_in_the_folder(tmp_path: Path) -> None:
    secret_key.choose("", tmp_path / "fresh")
    assert [path.name for path in (tmp_path / "fresh").iterdir()] == ["secret_key"]


def test_what_a_crash_left_beside_it_is_no_obstacle(tmp_path: Path) -> None:
    # in a container the same pid comes again
    (tmp_path / f".secret_key.{os.getpid()}").write_text("half a k")
    assert not secret_key.is_weak(secret_key.choose("", tmp_path)[0])


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TELL_KEY, str(tmp_path / "secret_key")]
    starters = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    keys = {starter.communicate(timeout=120)[0].strip() for starter in starters}
    assert len(keys) == 1
    assert not secret_key.is_weak(keys.pop())


def test_a_key_that_root_makes_belongs_to_whose_folder_it_is(tmp_path: Path) -> None:
    os.chown(tmp_path, 1234, 2345)
    secret_key.read_or_generate(tmp_path / "secret_key")
    status = (tmp_path / "secret_key").stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (1234, 2345, 0o600)
