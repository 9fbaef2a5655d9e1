"""Folders of scripts: made, renamed and moved with what is below, deleted empty or named."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from scripts_app import deletion, folders, scripts
from scripts_app.models import Folder, Script
from scripts_app.scripts import ScriptError
from tests.factories import NOW, make_schedule, make_script
from tests.rows import each_row

pytestmark = pytest.mark.django_db


def paths() -> list[str]:
    return list(Folder.objects.values_list("path", flat=True))


def place_of(script: Script) -> str:
    script.refresh_from_db()
    return script.folder.path if script.folder else ""


# --- making --------------------------------------------------------------------------------------------------------
def test_a_folder_is_made_with_those_above_it() -> None:
    folders.create("Ops/Nightly/Deep")
    assert paths() == ["Ops", "Ops/Nightly", "Ops/Nightly/Deep"]


def test_a_script_makes_the_folders_above_its_own_too() -> None:
    make_script(folder="Ops/Nightly")
    assert paths() == ["Ops", "Ops/Nightly"]


@each_row("path", ["", "/", "..", "A/../B", "A\0", "A//B", "x" * 301, None, 7])
def test_a_path_that_is_none_is_refused(path: object) -> None:
    with pytest.raises(ScriptError) as refusal:
        folders.create(path)
    assert (refusal.value.field, paths()) == ("path", [])


def test_a_second_folder_of_a_path_is_refused() -> None:
    folders.create("Ops")
    with pytest.raises(ScriptError, match="There is a folder `Ops` already"):
        folders.create("Ops")


# --- renaming and moving -------------------------------------------------------------------------------------------
def test_renaming_takes_everything_below_along() -> None:
    script, beside = make_script(folder="Ops/Nightly"), make_script(folder="Opsy")
    folders.move(Folder.objects.get(path="Ops"), path="Work")
    assert (place_of(script), place_of(beside)) == ("Work/Nightly", "Opsy")
    assert paths() == ["Opsy", "Work", "Work/Nightly"]


def test_moving_makes_the_folders_above_the_new_place() -> None:
    script = make_script(folder="Ops/Nightly")
    folders.move(Folder.objects.get(path="Ops/Nightly"), path="Home/Old/Nightly")
    assert place_of(script) == "Home/Old/Nightly"
    assert paths() == ["Home", "Home/Old", "Home/Old/Nightly", "Ops"]


def test_a_folder_may_move_up_into_the_place_of_none() -> None:
    folders.create("A/B/C")
    folders.move(Folder.objects.get(path="A/B"), path="B")
    assert paths() == ["A", "B", "B/C"]


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("Ops/Nightly/Inside", "within `Ops/Nightly` itself"),
        ("Home", "already"),
        ("", "needs a name"),
        ("..", "`..`"),
    ],
)
def test_an_impossible_move_is_refused_and_moves_nothing(path: str, why: str) -> None:
    script = make_script(folder="Ops/Nightly/Deep")
    folders.create("Home")
    with pytest.raises(ScriptError, match=why):
        folders.move(Folder.objects.get(path="Ops/Nightly"), path=path)
    assert place_of(script) == "Ops/Nightly/Deep"


def test_a_move_that_would_make_a_path_too_long_below_is_refused() -> None:
    folders.create("A/" + "b" * 290)
    with pytest.raises(ScriptError, match="391 characters; 300 is the most"):
        folders.move(Folder.objects.get(path="A"), path="a" * 100)


def test_a_deleted_script_comes_back_to_where_its_folder_has_gone() -> None:
    script = make_script(folder="Ops/Nightly")
    scripts.delete(script, now=NOW)
    folders.move(Folder.objects.get(path="Ops"), path="Work")
    assert place_of(deletion.restore(script, now=NOW)) == "Work/Nightly"


# --- deleting ------------------------------------------------------------------------------------------------------
def test_an_empty_folder_is_deleted() -> None:
    deletion.delete_folder(folders.create("Ops"), now=NOW)
    assert paths() == []


@pytest.mark.parametrize("confirm", ["", "Op", "Ops/Nightly"])
def test_a_folder_that_holds_something_is_deleted_only_by_its_name(confirm: str) -> None:
    script = make_script(folder="Ops/Nightly")
    with pytest.raises(ScriptError, match="`Ops` holds 1 script and 1 folder") as refusal:
        deletion.delete_folder(Folder.objects.get(path="Ops"), confirm=confirm, now=NOW)
    assert (refusal.value.field, place_of(script)) == ("confirm", "Ops/Nightly")


def test_a_named_folder_goes_with_all_in_it_and_its_scripts_can_come_back() -> None:
    schedule, beside = make_schedule(make_script(folder="Ops/Nightly")), make_script(folder="Opsy")
    script = schedule.script
    assert deletion.delete_folder(Folder.objects.get(path="Ops"), confirm="Ops", now=NOW) == 1
    schedule.refresh_from_db()
    assert (paths(), place_of(beside), schedule.next_at) == (["Opsy"], "Opsy", None)
    deletion.restore(script, now=NOW)
    schedule.refresh_from_db()
    assert (place_of(script), schedule.next_at) == ("Ops/Nightly", NOW + timedelta(minutes=1))


def test_a_folder_of_deleted_scripts_is_empty() -> None:
    script = make_script(folder="Ops")
    scripts.delete(script, now=NOW)
    deletion.delete_folder(Folder.objects.get(path="Ops"), now=NOW)
    assert place_of(deletion.restore(script, now=NOW)) == "Ops"


# --- the tree ------------------------------------------------------------------------------------------------------
def test_the_tree_counts_what_is_below_and_knows_what_is_empty() -> None:
    make_script(folder="Ops/Nightly")
    make_script(folder="Ops")
    folders.create("ops a")
    assert [
        (branch.path, branch.depth, branch.count, branch.is_empty) for branch in folders.tree()
    ] == [
        ("Ops", 0, 2, False),
        ("Ops/Nightly", 1, 1, False),
        ("ops a", 0, 0, True),
    ]


def test_the_tree_costs_two_queries_whatever_its_size() -> None:
    for number in range(20):
        make_script(f"Script {number}", folder=f"A/{number}")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        folders.tree()
    assert len(queries) == 2
