"""A run's own /tmp: what it puts there lies in its `tmp/` and goes with it, where the launcher may mount for it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runs_app.launcher.confined import AS_SERVICE_USER, IS_ROOT, OWN_USER, STRONG, Mode, Place
from tests.runs_app.launcher.harness import wait_for

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="only root may mount")

ELSEWHERE = Path("/var/tmp")  # a data folder below /tmp would be hidden by the run's own
USE = """
import os, subprocess
open("/tmp/by-a-script", "w").write("kept")
subprocess.run("echo more > /tmp/by-a-child; ls /tmp", shell=True, check=True)
print(open(os.path.join(os.environ["TMPDIR"], "by-a-script")).read(), os.path.samefile("/tmp", os.environ["TMPDIR"]))
"""


@pytest.fixture(
    scope="module", params=[STRONG, OWN_USER, AS_SERVICE_USER], ids=lambda mode: mode.name
)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    with Place(request.param, parent=ELSEWHERE) as place:
        yield place


def test_what_it_puts_into_tmp_is_its_own(place: Place) -> None:
    assert place.output(USE, flags="") == "by-a-child\nby-a-script\nkept True\n"
    assert not Path("/tmp/by-a-script").exists()


def test_it_finds_nothing_of_another_run_there(place: Place) -> None:
    for _ in range(2):
        assert place.output("import os; print(os.listdir('/tmp')); open('/tmp/x', 'w')") == "[]\n"


def test_it_goes_with_the_run_and_nothing_else_goes(place: Place) -> None:
    mounts = Path("/proc/self/mounts").read_text()
    folder = place.start(USE, flags="")
    place.launcher.exit_of(folder)
    wait_for(lambda: not (place.launcher.path(folder) / "tmp").exists())

    assert place.files().is_dir() and Path("/tmp").is_dir()
    assert Path("/proc/self/mounts").read_text() == mounts


def test_two_runs_at_once_have_one_each(place: Place) -> None:
    code = """
import os, time
open(f"/tmp/{os.environ['WHICH']}", "w")
open(f"seen-{os.environ['WHICH']}", "w")
while not {"seen-one", "seen-two"} <= set(os.listdir()): time.sleep(0.01)
print(os.listdir("/tmp"))
"""
    codes = [f"import os; os.environ['WHICH'] = {which!r}{code}" for which in ("one", "two")]
    folders = [place.start(code) for code in codes]
    for folder, which in zip(folders, ("one", "two"), strict=True):
        place.launcher.exit_of(folder)
        assert [record.text for record in place.launcher.records_of(folder)] == [
            f"['{which}']".encode()
        ]


def test_what_an_admin_opened_in_tmp_stays_to_be_seen(place: Place) -> None:
    shared = Path(f"/tmp/tempo-shared-{os.getpid()}")
    shared.mkdir()
    (shared / "in").write_text("seen")
    shared.chmod(0o755)
    try:
        code = f"print(open('{shared}/in').read())"
        assert place.output(code, read=[*place.reads(), str(shared)]) == "seen\n"
    finally:
        (shared / "in").unlink()
        shared.rmdir()


def test_a_link_in_place_of_the_runs_tmp_leads_no_further_than_web_may_go(place: Place) -> None:
    secret = place.base / "secret"  # root's, closed to web
    (secret / "open").mkdir(parents=True)
    (secret / "open/in").write_text("secret")
    secret.chmod(0o700)
    code = "import os; print(os.path.exists('/tmp/in'))"

    assert place.output(code, planted={"tmp": secret / "open"}) == "False\n"


@pytest.mark.parametrize("mode", [STRONG, AS_SERVICE_USER], ids=lambda mode: mode.name)
def test_where_it_may_not_mount_the_script_is_told_what_to_use(mode: Mode) -> None:
    without = Mode(name="no mounts", launcher=0, web=mode.web, uid=mode.uid, without="mounts")
    if not without.has_landlock:
        pytest.skip("this kernel closes no paths")
    with Place(without, parent=ELSEWHERE) as place:
        message = place.told("open('/tmp/by-a-script', 'w')", flags="")["message"]

    assert message.endswith("hint: use `$TMPDIR`, as `tempfile` does")
