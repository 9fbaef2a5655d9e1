"""Differences of two texts: right where they are small, and bounded whatever they are."""

import random
import subprocess
from collections.abc import Callable
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import pytest

from scripts_app.versions import diffs
from scripts_app.versions.diffs import DiffCell, TextDifference

MB = 1024 * 1024
BEFORE = "import os\n\n\ndef main():\n    print(os.name)\n\n\nmain()\n"
AFTER = "import sys\n\n\ndef main():\n    print(sys.platform)\n    print('more')\n\n\nmain()\n"


def said(difference: TextDifference) -> list[str]:
    """The rows of a difference, before beside after."""
    return [
        f"{_written(before)} | {_written(after)}"
        for hunk in difference.hunks
        for before, after in hunk.rows
    ]


def _written(cell: DiffCell | None) -> str:
    return f"{cell.number}{cell.sign}{cell.text}" if cell else ""


def patched(folder: Path, before: str, patch: str) -> str:
    """What `patch` makes of a text; line ends and a missing last one included."""
    file = folder / "main.py"
    file.write_bytes(before.encode())
    subprocess.run(["patch", "-s", str(file)], input=patch.encode(), check=True, timeout=60)
    return file.read_bytes().decode()


def unified(before: str, after: str) -> str:
    return diffs.unified(before, after, before_name="v1/main.py", after_name="v2/main.py")


def test_lines_that_changed_stand_beside_each_other() -> None:
    difference = diffs.compare("a\nb\nc\n", "a\nB\nc\nd\n")
    assert said(difference) == ["1 a | 1 a", "2-b | 2+B", "3 c | 3 c", " | 4+d"]
    assert (difference.added, difference.removed, difference.is_coarse, difference.is_cut) == (
        2,
        1,
        False,
        False,
    )


def test_the_same_one_below_the_other() -> None:
    (hunk,) = diffs.compare("a\nb\nc\n", "A\nB\nc\n").hunks
    assert [_written(cell) for cell in hunk.lines] == ["1-a", "2-b", "1+A", "2+B", "3 c"]


def test_lines_that_are_alike_are_counted_and_left_out() -> None:
    lines = [f"{number}\n" for number in range(100)]
    changed = [*lines]
    changed[20] = changed[70] = "changed\n"
    difference = diffs.compare("".join(lines), "".join(changed))
    assert [(hunk.skipped, len(hunk.rows)) for hunk in difference.hunks] == [(17, 7), (43, 7)]
    assert difference.alike_after == 26


def test_texts_that_are_alike_have_no_difference() -> None:
    assert (diffs.compare(BEFORE, BEFORE).hunks, unified(BEFORE, BEFORE)) == ([], "")


def test_it_is_written_as_diff_does() -> None:
    assert unified("a\nb", "a\nc\n") == (
        "--- v1/main.py\n+++ v2/main.py\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+c\n"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (BEFORE, AFTER),
        ("", BEFORE),
        (BEFORE, ""),
        ("a\x0cb\u2028c\r\n", "a\x0cb\u2028d"),
        ("x\n" * 300, "x\n" * 150 + "y\n" + "x\n" * 149),
        (
            "\n".join("ab"[number % 2] for number in range(5000)),
            "\n".join("ab"[number % 3 % 2] for number in range(5000)),
        ),
    ],
)
def test_patch_makes_the_one_of_the_other(tmp_path: Path, before: str, after: str) -> None:
    assert patched(tmp_path, before, unified(before, after)) == after


def few_words(words: str, *, lines: int = MB // 2) -> str:
    """Many lines of few different ones."""
    return "\n".join(random.Random(words).choices(words, k=lines))


def many_words(*, seed: int) -> str:
    """150,000 lines, all different, in an order that the seed decides."""
    unique = [f"{number:x}\n" for number in range(150_000)]
    random.Random(seed).shuffle(unique)
    return "".join(unique)


LETTERS = "abcdefghijklmnopqrstuvwxyz"
# Pairs of texts of up to 1 MB that make difflib compute for hours, or a page grow beyond all bounds.
HOSTILE: dict[str, Callable[[], tuple[str, str]]] = {
    "empty lines": lambda: ("\n" * MB, "x\n" * (MB // 2)),
    "two words": lambda: (few_words("ab"), few_words("ba")),
    "few words": lambda: (few_words(LETTERS), few_words(LETTERS[::-1])),
    "shuffled": lambda: (many_words(seed=1), many_words(seed=2)),
    "reversed": lambda: (many_words(seed=1), "\n".join(reversed(many_words(seed=1).split("\n")))),
    "a long line": lambda: ("x" * MB, "y" * MB),
    "monotonous": lambda: ("a\n" * (MB // 2), "b\n" + "a\n" * (MB // 2 - 2)),
}


@pytest.mark.parametrize("pair", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_pair_is_compared_within_its_steps_and_fits_a_page(
    pair: Callable[[], tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []
    search = SequenceMatcher.find_longest_match

    def counted(matcher: Any, alo: int, ahi: int, blo: int, bhi: int) -> Any:
        taken.append(sum(len(matcher.b2j.get(line, ())) for line in matcher.a[alo:ahi]))
        return search(matcher, alo, ahi, blo, bhi)

    monkeypatch.setattr(SequenceMatcher, "find_longest_match", counted)
    difference = diffs.compare(*pair())
    rows = [cell for hunk in difference.hunks for pair in hunk.rows for cell in pair if cell]
    assert sum(taken) <= diffs.MAX_STEPS
    assert len(rows) <= 2 * diffs.MAX_ROWS
    assert max(len(cell.text) for cell in rows) <= diffs.MAX_LINE


def test_a_change_in_the_middle_of_a_monotonous_megabyte_is_found_exactly() -> None:
    before = "a\n" * 250_000 + "b\n" + "a\n" * 250_000
    after = "a\n" * 250_000 + "c\n" + "a\n" * 250_000
    difference = diffs.compare(before, after)
    assert (difference.added, difference.removed, difference.is_coarse) == (1, 1, False)


def test_what_was_too_much_to_compare_is_said() -> None:
    before, after = few_words("ab", lines=5_000), few_words("ba", lines=5_000)
    assert diffs.compare(before, after).is_coarse


def test_a_long_line_is_cut_and_the_rest_counted() -> None:
    (hunk,) = diffs.compare("x" * 1500, "y").hunks
    before = hunk.rows[0][0]
    assert before and (len(before.text), before.left_out) == (1000, 500)
