"""Paths that people opened to scripts, as the launcher opens them to a run."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runs_app.launcher import script_start
from runs_app.launcher.identity import landlock, prctl, users
from runs_app.launcher.identity.isolation import NOTHING, Plan
from runs_app.launcher.script_start import Pipes, StartError
from runs_app.launcher.spec import IsolationSpec, Limits, Spec
from tests.runs_app.launcher.confined import LANDLOCK_ABI, MODES, Place, opened

pytestmark = pytest.mark.skipif(not LANDLOCK_ABI, reason="without Landlock no list of paths")


@pytest.fixture(scope="module", params=MODES[:1], ids=lambda mode: mode.name)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    yield from opened(request.param)


def test_a_path_that_people_opened_is_open_where_it_leads_now(place: Place) -> None:
    share = place.base / "share"
    share.mkdir(exist_ok=True)
    (share / "photo").write_text("a photo")
    place.own(share, 0o777)
    place.own(share / "photo", 0o644)
    links = {"good": share, "bad": place.data, "code": place.code, "root": Path("/")}
    for name, target in links.items():
        (place.base / f"to-{name}").unlink(missing_ok=True)
        (place.base / f"to-{name}").symlink_to(target)
    place.own(place.base, 0o755)
    code = f"""
import os
os.chdir({str(place.base)!r})
print(open("to-good/photo").read())
for name in ("data/secret_key", "to-root/etc/../" + os.getcwd() + "/data/secret_key",
             "code/runs_app/launcher/server.py"):
    try:
        print("read", open(name).read())
    except OSError:
        pass
"""
    refused = [str(place.data), str(place.code)]
    shared = [str(place.base / f"to-{name}") for name in links]
    output = place.output(code, shared_read=shared, refused=refused)
    assert output.strip() == "a photo"


def test_a_path_that_people_opened_to_write_takes_files(place: Place) -> None:
    share = place.base / "exports"
    share.mkdir(exist_ok=True)
    place.own(share, 0o777)
    code = f"open({str(share / 'made')!r}, 'w').write('x'); print('written')"
    refused = [str(place.data), str(place.code)]
    assert place.output(code, shared_write=[str(share)], refused=refused).strip() == "written"


def test_a_link_put_in_the_place_of_an_entry_meanwhile_does_not_open_the_data_folder(
    tmp_path: Path,
) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "notes").mkdir()
    key, note = tmp_path / "closed/secret_key", tmp_path / "notes/secret_key"
    key.write_text("a key")
    note.write_text("a note")

    def swap(event: str, arguments: tuple[object, ...]) -> None:
        # After the listing, before the opening.
        if event == "open" and arguments[0] == str(note.parent):
            note.parent.rename(tmp_path / "moved")
            note.parent.symlink_to(key)

    def is_open(path: Path) -> bool:
        try:
            return bool(path.read_text())
        except PermissionError:
            return False

    def read_confined() -> None:
        sys.addaudithook(swap)
        prctl.forbid_new_privileges()
        landlock.enter(landlock.make(read=[str(tmp_path)], write=[], closed=[str(key.parent)]))
        assert not is_open(key)

    assert users.succeeds_in_a_child(read_confined)


def test_a_rule_that_the_kernel_does_not_take_is_an_error_for_a_folders_entries_too(
    tmp_path: Path,
) -> None:
    (tmp_path / "notes").mkdir()
    closed = landlock._Closed.of([str(tmp_path / "closed")])
    no_rules = os.open(os.devnull, os.O_RDONLY)

    with contextlib.closing(os.fdopen(no_rules)), pytest.raises(OSError, match="bad state"):
        landlock._allow(no_rules, str(tmp_path), landlock.READ, closed)


def test_a_start_that_fails_leaves_nothing_open(tmp_path: Path) -> None:
    in_no_folder, end = os.pipe()
    read = [f"/proc/self/fd/{in_no_folder}"]
    wanted = IsolationSpec(uid=None, uid_why="", read=read, write=[], closed=[], require="")
    plan = Plan(None, has_own_user=False, is_script=True, landlock=wanted, result=NOTHING)
    spec = Spec(1, [b"/bin/true"], b"/", {}, None, 1, Limits(), wanted)
    before = set(Path("/proc/self/fd").iterdir())

    pipes = Pipes(os.dup(end), os.dup(end))
    with pytest.raises(StartError, match="isolation: File descriptor in bad state"):
        script_start.start(spec, pipes, run_folder=str(tmp_path), plan=plan)

    assert set(Path("/proc/self/fd").iterdir()) == before
    os.close(in_no_folder)
    os.close(end)
