"""Locks are read as uv writes them, and compared."""

from scripts_app.packages.locks import Change, Package, difference, packages

LOCK = """\
humanize==4.15.0 \\
    --hash=sha256:1dd098 \\
    --hash=sha256:b86920
tempo-greeting @ https://example.org/tempo_greeting-1.1-py3-none-any.whl \\
    --hash=sha256:aa
tzdata==2026.1 ; sys_platform == "win32" \\
    --hash=sha256:cc
"""


def test_each_package_has_its_version_and_the_number_of_its_hashes() -> None:
    address = "https://example.org/tempo_greeting-1.1-py3-none-any.whl"
    assert packages(LOCK) == [
        Package(name="humanize", version="4.15.0", hashes=2),
        Package(name="tempo-greeting", version=address, hashes=1),
        Package(name="tzdata", version="2026.1", hashes=1),
    ]


def test_a_lock_of_nothing_has_no_packages() -> None:
    assert packages("") == []


def test_added_removed_and_changed_are_told_apart() -> None:
    changes = difference("a==1\nb==1\nc==1\n", "b==2\nc==1\nd==3\n")
    assert changes == [
        Change(name="a", before="1", after=""),
        Change(name="b", before="1", after="2"),
        Change(name="d", before="", after="3"),
    ]
    assert [change.kind for change in changes] == ["removed", "changed", "added"]
