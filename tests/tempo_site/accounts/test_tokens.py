"""Tokens: a prefix, 30 random characters, and a check sum."""

import re

from tempo_site.accounts import tokens
from tests.rows import each_row


def test_a_token_has_its_prefix_thirty_characters_and_a_check_sum() -> None:
    assert re.fullmatch("tempo_[0-9A-Za-z]{36}", tokens.make_token())
    assert re.fullmatch("tempo_t_[0-9A-Za-z]{36}", tokens.make_token("tempo_t_"))


def test_no_two_tokens_are_equal() -> None:
    assert len({tokens.make_token() for _ in range(1000)}) == 1000


def test_a_whole_token_is_well_formed() -> None:
    assert tokens.is_well_formed(tokens.make_token())
    assert tokens.is_well_formed(tokens.make_token("tempo_t_"), prefix="tempo_t_")


def test_each_changed_character_is_found() -> None:
    token = tokens.make_token()
    for place, character in enumerate(token):
        changed = token[:place] + ("x" if character != "x" else "y") + token[place + 1 :]
        assert not tokens.is_well_formed(changed), place


@each_row("text", ["", "tempo_", "hello", "tempo_" + "é" * 36])
def test_another_text_is_not_well_formed(text: str) -> None:
    assert not tokens.is_well_formed(text)


def test_a_token_that_was_cut_or_is_of_another_kind_is_not_well_formed() -> None:
    assert not tokens.is_well_formed(tokens.make_token()[:-1])
    assert not tokens.is_well_formed(tokens.make_token("tempo_t_"))


def test_the_check_sum_is_crc32_in_base_62() -> None:
    # zlib.crc32(b"tempo_" + b"0" * 30) is 0x8c3c1761: 2ZDtKb, with digits before capitals before small letters.
    assert tokens.is_well_formed(f"tempo_{'0' * 30}2ZDtKb")
