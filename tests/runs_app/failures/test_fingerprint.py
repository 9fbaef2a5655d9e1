"""Equal failures have equal fingerprints, whatever has moved or varies."""

from tests.corpus.tracebacks.make_logs import FILES
from tests.corpus.tracebacks.reading import explain

FRAME = '  File "{files}/main.py", line {line}, in {function}\n    {code}\n'


def print_of(*frames: tuple[int, str, str], last: str = "KeyError: 'price'") -> str:
    text = "".join(
        FRAME.format(files=FILES, line=line, function=function, code=code)
        for line, function, code in frames
    )
    found = explain(f"Traceback (most recent call last):\n{text}{last}\n".encode())
    assert found
    return found.fingerprint


MAIN = (90, "<module>", "total(rows)")
PRICE = (12, "total", "return row['price']")
BUG = print_of(MAIN, PRICE)


def test_code_that_moved_by_30_lines_is_the_same_failure() -> None:
    assert print_of((120, *MAIN[1:]), (42, "total", "return  row['price'] ")) == BUG


def test_two_bugs_of_one_function_are_two_failures() -> None:
    assert print_of(MAIN, (12, "total", "return row['tax']")) != BUG


def test_another_error_at_the_same_line_is_another_failure() -> None:
    assert print_of(MAIN, PRICE, last="TypeError: 'int' object is not subscriptable") != BUG


def test_another_message_of_the_same_error_is_the_same_failure() -> None:
    assert print_of(MAIN, PRICE, last="KeyError: 'Price'") == BUG


def test_the_depth_of_a_recursion_does_not_count() -> None:
    assert print_of(MAIN, PRICE, PRICE, PRICE) == BUG


def test_frames_of_libraries_do_not_count() -> None:
    library = FRAME.format(files="/opt/python/lib/python3.12", line=7, function="get", code="x")
    own = FRAME.format(files=FILES, line=12, function="total", code="return row['price']")
    header = "Traceback (most recent call last):\n"
    with_library = explain(f"{header}{own}{library}KeyError: 1\n".encode())
    without = explain(f"{header}{own}KeyError: 1\n".encode())
    assert with_library and without
    assert with_library.fingerprint == without.fingerprint


def last_words(text: str) -> str:
    found = explain(text.encode())
    assert found
    return found.fingerprint


def test_numbers_and_names_in_last_words_do_not_count() -> None:
    first = last_words("no file /data/2026-11-27.csv, 3 tries")
    assert first == last_words("no file /data/2026-11-28.csv, 12 tries")
    assert first != last_words("no answer, 3 tries")
