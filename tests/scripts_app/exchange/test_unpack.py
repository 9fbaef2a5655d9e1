"""Archives that are not what they seem: refused by name, and nothing of them is left."""

import io
import os
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from scripts_app.exchange.programs import portable, unpack
from scripts_app.models import Script
from tempo_site.lib import paths

MB = 2**20
Archive = Callable[[], bytes]


def zipped(*names: str, data: bytes = b"print(1)\n", mode: int = 0) -> bytes:
    """A zip with a file of each name."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            info = zipfile.ZipInfo("x")
            info.filename = name  # as it is: the constructor would mend some
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return whole.getvalue()


def encrypted() -> bytes:
    data = bytearray(zipped("a.py"))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + place] |= 1
    return bytes(data)


def twice() -> bytes:
    return zipped("a.py", "b.py").replace(b"b.py", b"a.py")


def damaged() -> bytes:
    data = bytearray(zipped("a.py", data=bytes(range(256)) * 4))
    data[40] ^= 0xFF
    return bytes(data)


def crowded(count: int = 100_000, said: int = 0) -> bytes:
    """A zip whose table of contents has so many entries, or says so."""
    entry = b"PK\x01\x02" + bytes(24) + struct.pack("<H", 1) + bytes(16) + b"a"
    table = entry * count
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0, said, len(table), 0, 0)
    return table + end


def crowded_tar(folder: str = "") -> bytes:
    """A tar archive of a hundred files, each in a folder of its own."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for number in range(100):
            archive.addfile(tarfile.TarInfo(f"{folder}{number}/a.py"))
    return whole.getvalue()


def tarred(kind: bytes = tarfile.REGTYPE, name: str = "a.py") -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member, io.BytesIO(b""))
    return whole.getvalue()


REFUSED: dict[str, tuple[str, Archive]] = {
    "out of the folder": ("`../a.py` leads out", lambda: zipped("../a.py")),
    "out in the middle": ("`a/../../b.py` leads out", lambda: zipped("a/../../b.py")),
    "absolute": ("`/etc/cron.d/a` is an absolute path", lambda: zipped("/etc/cron.d/a")),
    "drive": ("`C:/a.py` is an absolute path", lambda: zipped("C:/a.py")),
    "backslash": ("holds a backslash", lambda: zipped("a\\..\\b.py")),
    "device of Windows": ("Windows", lambda: zipped("logs/CON.txt")),
    "dot at the end": ("Windows", lambda: zipped("a.py.")),
    "control character": ("a control character", lambda: zipped("a\x1b.py")),
    "taken apart": ("(NFD)", lambda: zipped("cafe\u0301.py")),
    "twice": ("`a.py` is there twice", twice),
    "twice on some systems": ("`A.py` and `a.py` cannot", lambda: zipped("a.py", "A.py")),
    "a file and a folder": ("`a/b.py` and `a` cannot", lambda: zipped("a", "a/b.py")),
    "a folder and a file": ("`A` and `a/b.py` cannot", lambda: zipped("a/b.py", "A")),
    "link": ("a link or a device", lambda: zipped("a.py", mode=stat.S_IFLNK | 0o777)),
    "device": ("a link or a device", lambda: zipped("a.py", mode=stat.S_IFBLK | 0o600)),
    "pipe": ("a link or a device", lambda: zipped("a.py", mode=stat.S_IFIFO | 0o600)),
    "grows too much": ("100 times", lambda: zipped("a.txt", data=bytes(11 * MB))),
    "too large": (
        "more than 20 MB",
        lambda: zipped("a", "b", "c", data=bytes(range(256)) * 28_000),
    ),
    "encrypted": ("`a.py` is encrypted", encrypted),
    "wrong sum": ("is damaged", damaged),
    "cut off": ("is damaged", lambda: zipped("a.py")[:-30]),
    "crowded": ("more than 20,000 files", crowded),
    "crowded and silent": ("more than 20,000 files", lambda: crowded(said=1)),
    "crowded in its head": ("more than 20,000 files", lambda: crowded(1, said=65_535)),
    "link in a tar": ("a link or a device", lambda: tarred(tarfile.SYMTYPE)),
    "device in a tar": ("a link or a device", lambda: tarred(tarfile.CHRTYPE)),
    "tar out of the folder": ("leads out", lambda: tarred(name="../../a.py")),
    "cut off tar": ("is damaged", lambda: tarred()[:20]),
}


def unpacked(data: bytes, tmp_path: Path, name: str) -> list[str]:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(data)
    target.mkdir()
    return unpack.unpack(unpack.Asked(str(target), 20 * MB, [(name, str(source))]))


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_by_name(case: str, tmp_path: Path) -> None:
    why, archive = REFUSED[case]
    name = "a.tar.gz" if "tar" in case.split() else "a.zip"
    with pytest.raises(unpack.UnpackRefused) as refusal:
        unpacked(archive(), tmp_path, name)
    assert why in str(refusal.value)
    assert not (tmp_path / "a.py").exists() and not (tmp_path.parent / "a.py").exists()


@pytest.mark.parametrize(("ceiling", "folder"), [("MAX_ENTRIES", ""), ("MAX_MEMBERS", ".git/")])
def test_a_crowded_tar_is_refused_before_a_file_of_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ceiling: str, folder: str
) -> None:
    """Twenty thousand files in folders of their own take a minute to write, and another one to remove."""
    monkeypatch.setattr(unpack, ceiling, 99)
    with pytest.raises(unpack.UnpackRefused, match="more than 99 files"):
        unpacked(crowded_tar(folder), tmp_path, "a.tar")
    assert list((tmp_path / "target").iterdir()) == []


@pytest.mark.parametrize("name", ["2026-11-29T04:05.csv", "é.py", "a b.py", ".env", "x" * 255])
def test_a_usual_name_is_taken(name: str, tmp_path: Path) -> None:
    assert portable.problem_of(name) == ""
    assert unpacked(zipped(name, "__MACOSX/._a", ".DS_Store"), tmp_path, "a.zip") == [name]


def test_a_folder_is_copied_without_what_tools_keep(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    for path in ("a.py", "sub/b.py", ".git/config", "__pycache__/a.pyc"):
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_text("1\n")
    target.mkdir()
    asked = unpack.Asked(str(target), MB, [("", str(source))])
    assert unpack.unpack(asked) == ["a.py", "sub/b.py"]
    (source / "0").symlink_to("/etc/passwd")
    with pytest.raises(unpack.UnpackRefused, match="`0` is a link"):
        unpack.unpack(asked)


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["Data.csv", "data.csv"], "`data.csv` and `Data.csv` cannot lie side by side"),
        (["cafe\u0301.py"], "(NFD)"),
        (["sub/aux.py"], "Windows"),
        (["a\\b.py"], "holds a backslash"),
        ([os.fsdecode(b"\xff.py")], "is no Unicode"),
    ],
)
def test_names_in_a_folder_are_those_of_an_archive(
    tmp_path: Path, names: list[str], why: str
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    for name in names:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).touch()
    target.mkdir()
    with pytest.raises(unpack.UnpackRefused) as refusal:
        unpack.unpack(unpack.Asked(str(target), MB, [("", str(source))]))
    assert why in str(refusal.value)


@pytest.mark.django_db
@pytest.mark.parametrize("case", ["crowded and silent", "wrong sum"])
def test_nothing_of_it_is_written(case: str, program: Client) -> None:
    why, archive = REFUSED[case]
    file = SimpleUploadedFile("a.zip", archive())
    response: Any = program.post("/api/v1/import", {"file": file})
    assert response.status_code == 422
    error = response.json()["error"]
    assert why in error["message"] and error["hint"] == "nothing was imported"
    assert list(paths.imports().iterdir()) == [] and list(paths.scripts().iterdir()) == []
    assert not Script.objects.exists()
