"""Masking: no value of a secret is seen in what a script writes, however it is cut, and nothing else is changed."""

import base64
import json
import os
import urllib.parse
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs_app.launcher import bells
from runs_app.launcher.output import capture, log_file
from runs_app.launcher.output.masking import MASK, Mask, Masker
from tests.rows import each_row
from tests.runs_app.launcher.harness import joined, parse_log, wait_for

PASSWORD = b"hunter2-and-more"
KEY = b"-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END KEY-----\n"


def masked(*pieces: bytes, secrets: tuple[bytes, ...] = (PASSWORD,)) -> bytes:
    """What is shown of these pieces, up to the end of the stream."""
    masker = Masker(Mask(secrets))
    return b"".join(map(masker.feed, pieces)) + masker.release()


def test_a_value_becomes_four_dots() -> None:
    assert masked(b"user=me password=" + PASSWORD + b";\n") == b"user=me password=" + MASK + b";\n"


@each_row("at", range(1, len(PASSWORD)))
def test_a_value_in_halves_is_masked(at: int) -> None:
    assert masked(b"<" + PASSWORD[:at], PASSWORD[at:] + b">\n") == b"<" + MASK + b">\n"


def test_a_value_byte_by_byte_is_masked() -> None:
    assert masked(*(PASSWORD[at : at + 1] for at in range(len(PASSWORD))), b"\n") == MASK + b"\n"


def test_what_only_begins_like_a_value_is_shown() -> None:
    assert masked(b"hunt", b"ing\n") == b"hunting\n"


def test_one_value_inside_another_leaves_nothing_over() -> None:
    assert masked(b"abcdefgh abcd\n", secrets=(b"abcd", b"abcdefgh")) == MASK + b" " + MASK + b"\n"


def test_values_that_overlap_leave_nothing_over() -> None:
    assert masked(b"abcdef\n", secrets=(b"abcd", b"cdef")) == MASK + b"\n"
    assert masked(b"ab", b"cd", b"ef\n", secrets=(b"abcd", b"cdef")) == MASK + b"\n"


def test_each_line_of_a_value_is_masked_by_itself() -> None:
    assert masked(b"got kqhkiG9w0BAQEF here\n", secrets=(KEY,)) == b"got " + MASK + b" here\n"
    assert masked(KEY.strip() + b"\n", secrets=(KEY,)) == MASK + b"\n"


def test_lines_that_end_as_on_windows_are_masked() -> None:
    assert b"MIIE" not in masked(KEY, secrets=(KEY.replace(b"\n", b"\r\n"),))


@pytest.mark.parametrize("value", [b"abc", "äöü".encode(), b""])
def test_values_of_under_four_characters_are_left(value: bytes) -> None:
    assert masked(b"-" + value + b"-\n", secrets=(value,)) == b"-" + value + b"-\n"


@each_row(
    "written",
    [
        repr,
        ascii,
        json.dumps,
        lambda text: json.dumps(text, ensure_ascii=False),
        urllib.parse.quote,
        urllib.parse.quote_plus,
        lambda text: urllib.parse.quote(text, safe=""),
    ],
)
def test_a_value_is_known_as_others_write_it(written: object) -> None:
    value = "pä ss/w'ö\"rd\\\n+1&2"
    found = masked(written(value).encode() + b"\n", secrets=(value.encode(),))  # type: ignore[operator]
    assert MASK in found and len(found.replace(MASK, b"").strip(b"\n'\"")) == 0


@each_row("before", [b"", b"a:", b"me:", b"user:"])
def test_a_value_is_known_in_base64_wherever_it_stands(before: bytes) -> None:
    coded = base64.b64encode(before + PASSWORD + b"\n")
    shown = masked(b"Authorization: Basic " + coded + b"\n")
    assert MASK in shown and base64.b64encode(PASSWORD)[4:-4] not in shown
    assert (
        len(shown.partition(b"Basic ")[2].replace(MASK, b"")) <= len(base64.b64encode(before)) + 6
    )


def test_a_pause_within_a_value_shows_at_most_three_of_its_bytes() -> None:
    masker = Masker(Mask([PASSWORD]))
    shown = b""
    for at in range(len(PASSWORD)):
        shown += masker.feed(PASSWORD[at : at + 1]) + masker.release()
    assert shown + masker.feed(b"\n") == PASSWORD[:3] + MASK + b"\n"


def test_a_question_that_ends_like_a_value_begins_is_shown_after_a_moment() -> None:
    masker = Masker(Mask([b"? no, a secret"]))
    assert masker.feed(b"Name?") == b"Name"
    assert masker.is_holding
    assert (masker.release(), masker.is_holding) == (b"?", False)
    assert masker.feed(b" Ada\n") == b" Ada\n"


def test_a_message_is_masked_too() -> None:
    assert Mask([PASSWORD]).text(f"failed: {PASSWORD!r}") == "failed: b'••••'"


texts = st.text("abc", min_size=4, max_size=9).map(str.encode)


@given(
    st.lists(texts, min_size=1, max_size=4),
    st.lists(st.text("abc\n", max_size=12).map(str.encode), max_size=8),
)
def test_the_cuts_make_no_difference(secrets: list[bytes], pieces: list[bytes]) -> None:
    ended = [*pieces, b"\n" * 2]
    whole = masked(b"".join(ended), secrets=tuple(secrets))
    assert masked(*ended, secrets=tuple(secrets)) == whole
    assert not any(secret in whole for secret in secrets)


@given(
    st.lists(texts, min_size=1, max_size=4),
    st.lists(st.text("abc\n", max_size=12).map(str.encode), max_size=8),
)
def test_the_mask_covers_exactly_what_is_secret(secrets: list[bytes], pieces: list[bytes]) -> None:
    data = b"".join(pieces) + b"\n"
    covered = {at for form in Mask(secrets).forms for start in range(len(data)) if data.startswith(form, start)
               for at in range(start, start + len(form))}  # fmt: skip
    shown = masked(data, secrets=tuple(secrets))
    assert shown.replace(MASK, b"") == bytes(
        data[at] for at in range(len(data)) if at not in covered
    )


@given(st.lists(st.integers(1, 5000), max_size=60))
def test_a_long_value_is_masked_across_the_pieces_of_a_log(sizes: list[int]) -> None:
    value = b"%x" % 3**60_000
    pieces, rest = [], b"x" * 16_000 + value + b"y" * 20_000 + b"\n"
    for size in sizes:
        pieces.append(rest[:size])
        rest = rest[size:]
    assert masked(*pieces, rest, secrets=(value,)) == b"x" * 16_000 + MASK + b"y" * 20_000 + b"\n"


class MaskedPump:
    """A capture that masks, without a script: the test writes to the pipes itself."""

    def __init__(self, folder: Path, *secrets: bytes) -> None:
        self.log = folder / "output.log"
        folder_fd = os.open(folder, os.O_RDONLY)
        wakeup_fd, _ = os.pipe()
        log = log_file.Log(folder_fd)
        self.capture = capture.Capture(log, bells.Bells(folder_fd), wakeup_fd, Mask(secrets))
        self.pipes = self.capture.open_pipes()

    def shown(self) -> bytes:
        """What stands in the log."""
        return joined(parse_log(self.log.read_bytes()))

    def wait_for(self, text: bytes) -> None:
        """Copy until the log says so."""
        wait_for(lambda: self.capture.step(0.01) or self.shown() == text)

    def end(self) -> bytes:
        """Close the script's ends; what the log says then."""
        for fd in self.pipes:
            os.close(fd)
        self.capture.drain()
        return self.shown()


def test_the_streams_are_masked_apart(tmp_path: Path) -> None:
    pump = MaskedPump(tmp_path, PASSWORD)
    os.write(pump.pipes.stdout, PASSWORD[:8])
    os.write(pump.pipes.stderr, b"warning\n")
    os.write(pump.pipes.stdout, PASSWORD[8:] + b"\n")
    pump.end()
    assert [joined(parse_log(pump.log.read_bytes()), letter) for letter in "OE"] == [
        MASK + b"\n",
        b"warning\n",
    ]
    assert pump.capture.last_stderr == b"warning\n"


def test_a_prompt_is_shown_while_the_script_waits_and_the_rest_of_a_value_is_masked_still(
    tmp_path: Path,
) -> None:
    pump = MaskedPump(tmp_path, PASSWORD)
    os.write(pump.pipes.stdout, b"Name? ")
    pump.wait_for(b"Name? ")
    os.write(pump.pipes.stdout, PASSWORD[:10])
    pump.wait_for(b"Name? " + MASK)
    os.write(pump.pipes.stdout, PASSWORD[10:] + b"!\n")
    assert pump.end() == b"Name? " + MASK + b"!\n"


def test_the_end_of_a_stream_gives_out_what_was_held_back(tmp_path: Path) -> None:
    pump = MaskedPump(tmp_path, PASSWORD)
    os.write(pump.pipes.stdout, b"this is the hun")
    assert pump.end() == b"this is the hun"


def test_the_last_words_on_stderr_are_masked(tmp_path: Path) -> None:
    pump = MaskedPump(tmp_path, PASSWORD)
    os.write(pump.pipes.stderr, b"x" * 4090 + PASSWORD + b"\n")
    pump.end()
    assert PASSWORD[-6:] not in pump.capture.last_stderr


def test_without_secrets_nothing_stands_in_the_way(tmp_path: Path) -> None:
    pump = MaskedPump(tmp_path)
    assert {type(stream) for stream in pump.capture._streams} == {capture.Stream}
    pump.end()
