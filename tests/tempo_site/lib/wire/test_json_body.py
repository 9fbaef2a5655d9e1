"""JSON of requests is bounded before anything is built of it."""

import json

import pytest

from tempo_site.lib.wire import json_body
from tempo_site.lib.wire.json_body import MAX_DEPTH, MAX_VALUES, parse
from tests.rows import each_row


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"name": 'a"\\,[{', "code": "[[[[,,,,{{{{" * 50_000},
        {"a": [[1, {"b": None}], "\u20ac"]},
    ],
)
def test_what_it_says_is_returned(content: dict[str, object]) -> None:
    assert parse(json.dumps(content).encode()) == content


@each_row(
    ("body", "words"),
    [
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "nested deeper than 64 levels"),
        (b'{"a":' * (MAX_DEPTH + 1), "nested deeper than 64 levels"),
        (b"[" + b"0," * MAX_VALUES + b"0]", "more than 20,000 values"),
        (b"[" + b"{}," * MAX_VALUES + b"0]", "more than 20,000 values"),
        (b'{"a": NaN}', "`NaN` is not JSON"),
        (b'{"a": "', "Unterminated string"),
        (b'"\\', "Unterminated string"),
        (b"", "Expecting value"),
        (b"\xff", "codec can.t decode"),
    ],
)
def test_what_is_refused_is_a_value_error(body: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(body)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16", "utf-32-be"])
def test_only_utf_8_is_json(encoding: str) -> None:
    with pytest.raises(ValueError, match=r"Expecting|codec can.t decode"):
        parse('["\\"", [[1]]]'.encode(encoding))


def test_a_byte_order_mark_is_no_reason_to_refuse() -> None:
    assert parse(json.dumps({"a": 1}).encode("utf-8-sig")) == {"a": 1}


def test_the_bounds_themselves_are_taken() -> None:
    assert parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    assert len(parse(b"[" + b"0," * (MAX_VALUES - 1) + b"0]")) == MAX_VALUES


@each_row(
    ("body", "strings"),
    [
        (b'"' + b'\\"' * 1000, 1),
        (b'"' + b'\\"' * 1000 + b"\\", 1),
        (b'"' + b"\\\n" * 1000, 1),
        (b'"' * 1001, 501),
        (b'\\"' * 1001, 1),
        (b'"a' * 1001, 501),
    ],
)
def test_each_byte_of_an_open_string_is_looked_at_once(body: bytes, strings: int) -> None:
    assert len(json_body._STRING.findall(body)) == strings
    assert b'"' not in json_body._STRING.sub(b"", body), "at no quote a search was in vain"
