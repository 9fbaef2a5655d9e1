"""Moving in from cron in a browser: paste, look, untick, import."""

import json
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.pages.test_every_page import findings
from tests.service import Service

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.usefixtures("chromium")]

HOSTILE = '"><img src=x onerror=alert(1)>{{7*7}}'
OTHERS = [
    f"@daily {HOSTILE}",
    f"0 0 30 2 * '/bin/{HOSTILE}'",
    f"@reboot {'x' * 9000} | y",
    "nonsense",
    "0 5 * * *",
]


def test_a_crontab_is_pasted_looked_at_and_moved_in(
    service: Service, screen: Page, tmp_path: Path
) -> None:
    (tmp_path / "nightly.py").write_text("import sys\nprint(sys.argv[1:])\n")
    screen.goto(f"{service.url}/scripts/")
    screen.get_by_role("link", name="Import from cron").first.click()
    lines = [f"30 2 * * * python3 {tmp_path}/nightly.py --all", *OTHERS]
    screen.get_by_label("Crontab").fill("\n".join(lines))
    screen.get_by_role("button", name="Preview").click()
    boxes = screen.locator("input[name=line]")
    expect(boxes).to_have_count(4)
    expect(screen.get_by_label("nightly", exact=True)).to_be_checked()
    screen.get_by_text("Show the code").first.click()
    assert troubles_of(screen) == []
    for box in boxes.all()[1:]:
        box.uncheck()
    screen.get_by_role("button", name="Import the ticked ones").click()
    expect(screen.get_by_text("Moved in: 1 script.")).to_be_visible()
    assert [script["slug"] for script in service.get("/scripts")["items"]] == ["nightly"]
    assert service.run("nightly")["status"] == "succeeded"


PEP_723 = """\
# /// script
# dependencies = []
# [tool.tempo.parameters]
# days = {type = "int", default = 7}
# ///
import os
print(os.environ["TEMPO_PARAM_DAYS"])
"""


def test_a_file_a_folder_and_a_zip_are_handed_in_looked_at_and_imported(
    service: Service, screen: Page, tmp_path: Path
) -> None:
    (tmp_path / "alone.py").write_text(PEP_723)
    folder = tmp_path / "tree" / "scripts" / "dropped"
    (folder / "files").mkdir(parents=True)
    (folder / "main.py").write_text("print(open('a.txt').read())\n")
    (folder / "script.toml").write_text(f"name = {json.dumps(HOSTILE)}\nas_service_user = true\n")
    (folder / "files" / "a.txt").write_text("read")
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.writestr("scripts/packed/main.py", "print('packed')\n")
        archive.writestr("scripts/packed/script.toml", 'name = "Packed"\n')
        archive.writestr("scripts/packed/versions/0001.py", "print('older')\n")
    for path, word in (
        ("alone.py", "packages, Python and inputs stand in the block"),
        ("tree", "run as Tempo's own user"),
        ("packed.zip", "with its older versions"),
    ):
        screen.goto(f"{service.url}/import/")
        assert troubles_of(screen) == []
        HAND_IN[path](screen, tmp_path / path)
        screen.get_by_role("button", name="Preview").click()
        expect(screen.get_by_text(word)).to_be_visible()
        assert troubles_of(screen) == []
        screen.get_by_role("button", name="Import", exact=True).click()
        expect(screen.get_by_text("Imported: 1 script.")).to_be_visible()
    for slug, printed in (("alone", "7"), ("dropped", "read"), ("packed", "packed")):
        log = f"/runs/{service.run(slug)['id']}/log"
        assert service.call("GET", log)[1].strip() in (printed, printed.encode())


def choose(screen: Page, path: Path) -> None:
    screen.get_by_label("Files").set_input_files(path)


def drop_on_the_field(screen: Page, path: Path) -> None:
    """A folder, which the field alone would take for a file; what was chosen before makes place."""
    screen.get_by_label("Or a folder").set_input_files(path)
    sent = "[...new FormData(document.querySelector('folder-upload form')).getAll('path')].sort()"
    folder = "tree/scripts/dropped"
    expected = [f"{folder}/{name}" for name in ("files/a.txt", "main.py", "script.toml")]
    assert screen.evaluate(sent) == expected
    drop(screen, "#files", path)
    expect(screen.get_by_text("Dropped: 3 files")).to_be_visible()
    assert screen.evaluate(sent) == expected


def drop_beside_it(screen: Page, path: Path) -> None:
    drop(screen, "h1", path)
    expect(screen.get_by_text("Dropped: 1 file, packed.zip")).to_be_visible()


HAND_IN = {"alone.py": choose, "tree": drop_on_the_field, "packed.zip": drop_beside_it}


def drop(screen: Page, selector: str, path: Path) -> None:
    """Drop a file or folder of this machine, as a file manager does."""
    box = screen.locator(selector).bounding_box()
    assert box
    place = {"x": box["x"] + 20, "y": box["y"] + 10}
    carried = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    devtools = screen.context.new_cdp_session(screen)
    for kind in ("dragEnter", "dragOver", "drop"):
        devtools.send("Input.dispatchDragEvent", {"type": kind, "data": carried, **place})
    devtools.detach()


def troubles_of(screen: Page) -> list[str]:
    """What is wrong with the page at hand: what axe finds serious, and sideways scrolling on a desk and a phone."""
    troubles = list(findings(screen, []))
    for width in (1280, 390):
        screen.set_viewport_size({"width": width, "height": 844})
        over = screen.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        troubles += [f"{over} px wider than {width}"] if over > 0 else []
    troubles += ["takes text for more than text"] if screen.locator("img[src=x]").count() else []
    return troubles
