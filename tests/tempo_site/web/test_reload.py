"""The reload of a development server."""

from pathlib import Path

from tempo_site.web import reload


def test_a_changed_file_is_noticed() -> None:
    known = {Path("/a.py"): 1.0}
    assert reload.is_changed(known, {Path("/a.py"): 2.0})


def test_a_module_imported_later_is_no_change() -> None:
    known = {Path("/a.py"): 1.0}
    assert not reload.is_changed(known, {Path("/a.py"): 1.0, Path("/b.py"): 1.0})
    assert reload.is_changed(known, {Path("/b.py"): 2.0})
