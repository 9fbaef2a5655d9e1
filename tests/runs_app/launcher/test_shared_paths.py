"""Paths that people opened to scripts, as the launcher opens them to a run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

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
