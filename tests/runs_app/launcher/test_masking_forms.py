"""Masking of what encoders, terminals and other programs make of a secret, and of parts that are secret themselves."""

import base64
import html
import json
import re
import urllib.parse
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs_app.launcher.output import readings
from runs_app.launcher.output.masking import MASK, Mask, Masker
from tests.rows import each_row
from tests.runs_app.launcher.test_masking import PASSWORD, masked

AWKWARD = "pä s/s<w>'ö\"r&d\\+=1😀2"


def lower_percent(text: str) -> str:
    """As some write URLs: `%2f`."""
    return re.sub("%..", lambda found: found[0].lower(), urllib.parse.quote(text, safe=""))


def every_character(template: str) -> Callable[[str], str]:
    """Each character by its number."""
    return lambda text: "".join(template.format(ord(character)) for character in text)


def utf16_escapes(text: str) -> str:
    """Each character as JSON may write it."""
    data = text.encode("utf-16-be")
    return "".join(f"\\u{data[at : at + 2].hex()}" for at in range(0, len(data), 2))


WRITERS: dict[str, Callable[[str], str]] = {
    "hex": lambda text: text.encode().hex(),
    "HEX": lambda text: text.encode().hex().upper(),
    "base32": lambda text: base64.b32encode(text.encode()).decode().rstrip("="),
    "base32 in lower case": lambda text: base64.b32encode(text.encode()).decode().rstrip("=").lower(),
    "JSON with escaped slashes": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "JSON, all escaped": utf16_escapes,
    "JSON, all escaped in capitals": lambda text: utf16_escapes(text).upper().replace("\\U", "\\u"),
    "JSON for HTML": lambda text: json.dumps(text)[1:-1].replace("<", "\\u003c").replace("&", "\\u0026"),
    "HTML": html.escape,
    "HTML as Jinja writes it": lambda text: html.escape(text).replace("&#x27;", "&#39;"),
    "HTML with names": lambda text: html.escape(text).replace("ä", "&auml;").replace("ö", "&ouml;"),
    "HTML, all numbers": every_character("&#{};"),
    "HTML, all hexadecimal": every_character("&#x{:x};"),
    "%2f": lower_percent,
    "%2F": lambda text: urllib.parse.quote(text, safe=""),
    "+ for a space": lambda text: lower_percent(text).replace("%20", "+"),
}  # fmt: skip
SEQUENCES = [
    "\x1b[0m",
    "\x1b[1;31m\x1b[4m",
    "\x1b]8;;http://a.example/\x07",
    "\x1b]0;title\x1b\\",
    "\x1b(B",
    "\x1b7",
    "\x08",
    "\0",
    "\x7f",
    "\x9b",
]


@pytest.mark.parametrize("value", [AWKWARD, PASSWORD.decode(), "{=}/&<>"])
@each_row("writer", WRITERS.values())
def test_a_value_is_known_as_others_write_it(writer: Callable[[str], str], value: str) -> None:
    written = writer(value).encode()
    for cut in range(len(written)):
        found = masked(b"[" + written[:cut], written[cut:] + b"]\n", secrets=(value.encode(),))
        shown = found.replace(MASK, b"")
        assert MASK in found and len(shown) <= len(b"[]\n") + 2, (cut, found)


def test_a_value_is_known_in_base32_with_a_line_end() -> None:
    coded = base64.b32encode(PASSWORD + b"\n")
    shown = masked(b"<" + coded + b">\n")
    assert MASK in shown and len(shown.replace(MASK, b"")) <= len(b"<>\n") + 8


@pytest.mark.parametrize("sequence", SEQUENCES)
@each_row("at", range(1, len(PASSWORD), 5))
def test_a_sequence_of_a_terminal_in_the_middle_hides_nothing(sequence: str, at: int) -> None:
    line = b"> " + PASSWORD[:at] + sequence.encode() + PASSWORD[at:] + b"\n"
    for cut in range(len(line)):
        assert masked(line[:cut], line[cut:]) == b"> " + MASK + b"\n", cut


def test_a_sequence_within_an_encoded_value_hides_nothing() -> None:
    for written in (PASSWORD.hex(), "hunter2%2dand%2Dmore", "hunter2\\u002dand-more"):
        line = written[:9] + "\x1b[31m" + written[9:] + "\n"
        assert masked(line.encode()) == MASK + b"\n"


def test_sequences_and_escapes_around_a_value_stay_as_they_are() -> None:
    line = b'\x1b[32mok\x1b[0m 50% a&amp;b \\"' + PASSWORD + b'\\" \x1b[0m%41\n'
    assert masked(line) == line.replace(PASSWORD, MASK)


def test_output_without_a_secret_is_not_changed() -> None:
    line = b"\x1b[32mC:\\users\\new\x1b[0m 100% R&D &auml; %41 \\u0041 \xc2\xa0 \r\n"
    assert masked(*(line[at : at + 1] for at in range(len(line)))) == line


@each_row("prompt", [b"Name&Date", b"50%", b"C:\\u00", b"\x1b[31", b"&#1234567"])
def test_a_prompt_that_ends_like_an_escape_is_shown_after_a_moment(prompt: bytes) -> None:
    masker = Masker(Mask([PASSWORD]))
    assert masker.feed(prompt) + masker.release() == prompt
    assert masker.feed(b"? \n") == b"? \n"


def test_a_pause_in_what_may_be_a_value_behind_an_ampersand_shows_none_of_it() -> None:
    masker = Masker(Mask([PASSWORD]))
    assert masker.feed(b"&hunte") + masker.release() == b"&" + MASK
    assert masker.feed(PASSWORD[5:] + b"\n") == b"\n"


def test_endless_sequences_behind_the_begin_of_a_value_are_not_held_for_ever() -> None:
    masker = Masker(Mask([PASSWORD]))
    shown = masker.feed(b"hunter2-") + b"".join(masker.feed(b"\x1b[0m" * 1000) for _ in range(20))
    assert len(shown) > 60_000


# --- the parts of a value -------------------------------------------------------------------------------------------
ACCOUNT = {
    "user": "me",
    "password": "zq/91xx",
    "list": [{"token": "tk-5512-ff"}],
    "port": 1234,
    "key": "ab\ncdefgh",
}


@pytest.mark.parametrize("indent", [None, 2])
@each_row("part", ["zq/91xx", "tk-5512-ff", "zq\\/91xx", "zq%2f91xx", "cdefgh"])
def test_the_values_within_json_are_masked(indent: int | None, part: str) -> None:
    secret = json.dumps(ACCOUNT, indent=indent).encode()
    assert masked(f"got {part}!\n".encode(), secrets=(secret,)) == b"got " + MASK + b"!\n"


@each_row("part", ["true", "me", "root", "1234", "port", "password"])
def test_short_values_numbers_and_names_within_json_are_left(part: str) -> None:
    secret = json.dumps({**ACCOUNT, "a": "true", "b": "root", "c": True}).encode()
    assert masked(f"got {part}!\n".encode(), secrets=(secret,)) == f"got {part}!\n".encode()


@each_row("text", ["{", "[" * 20_000, '{"a": }', "[1e999999]", '{"a": "\\ud800lonely"}'])
def test_what_is_no_json_is_a_value_like_others(text: str) -> None:
    assert (
        masked(f"<{text}>\n".encode(), secrets=(text.encode() + b"-1",)) == f"<{text}>\n".encode()
    )


@each_row(
    ("url", "part"),
    [
        ("postgres://me:p%2Fw-99@db.example/app", "p%2Fw-99"),
        ("postgres://me:p%2Fw-99@db.example/app", "p/w-99"),
        ("postgres://me:p%2Fw-99@db.example/app", "p%2fw-99"),
        ("redis://:p@ss-word@cache:6379/0", "p@ss-word"),
        ("https://ghp-0123456789@git.example/a.git", "ghp-0123456789"),
        ('{"dsn": "amqp://me:rabbit-7@mq/"}', "rabbit-7"),
    ],
)  # fmt: skip
def test_the_password_of_a_url_is_masked(url: str, part: str) -> None:
    assert masked(f"<{part}>\n".encode(), secrets=(url.encode(),)) == b"<" + MASK + b">\n"


def test_the_password_of_a_url_is_known_in_base64() -> None:
    coded = base64.b64encode(b"me:rabbit-7-x")
    assert b"LTct" not in masked(coded + b"\n", secrets=(b"amqp://me:rabbit-7-x@mq/",))


def test_the_host_and_user_of_a_url_are_left() -> None:
    secret = b"postgres://admin:pw-12345@db.example/app"
    assert masked(b"admin db.example app\n", secrets=(secret,)) == b"admin db.example app\n"


# --- any text ---------------------------------------------------------------------------------------------------------
SNIPPETS = [
    *("a", "b", "%61", "%6", "&#97;", "&", "#9", "\\u0061", "\\", "u00", "/", "6162"),
    *("\x1b[0m", "\x1b", "[1", "m", ";", "\x00", "\n"),
]
pieces_of_text = st.lists(st.sampled_from(SNIPPETS), max_size=14)


@given(pieces_of_text, st.integers(1, 5))
def test_the_cuts_make_no_difference(pieces: list[str], size: int) -> None:
    data = "".join(pieces).encode() + b"\n\n"
    secrets = (b"abba", b"a/ab")
    cut = [data[at : at + size] for at in range(0, len(data), size)]
    whole = masked(data, secrets=secrets)
    assert masked(*cut, secrets=secrets) == whole
    shown = readings.shown(whole)
    text = shown.text if shown else whole
    resolved = readings.unescaped(text)
    assert not any(
        secret in seen
        for secret in secrets
        for seen in (whole, text, resolved.text if resolved else b"")
    )


@given(pieces_of_text)
def test_each_byte_of_a_reading_is_found_again_in_what_was_read(pieces: list[str]) -> None:
    data = "".join(pieces).encode()
    for read in (readings.shown, readings.unescaped):
        reading = read(data)
        if reading is None:
            continue
        spans = [reading.raw_span(at, at + 1) for at in range(len(reading.text))]
        assert all(0 <= start < end <= len(data) for start, end in spans)
        assert spans == sorted(spans)
