"""The runner's look at the end of stderr."""

from runs_app.launcher.watch import last_words

# As Python 3.8 to 3.13 show an error in a statement of several lines.
CODE_LIKE_A_MARGIN = b"""Traceback (most recent call last):
  File "/files/main.py", line 4, in price
    + row["tax"],
      ~~~^^^^^^^
KeyError: 'tax'
"""


def test_a_line_of_code_that_begins_with_a_plus_is_no_margin_of_a_group() -> None:
    words = last_words.read(CODE_LIKE_A_MARGIN)
    assert (words.errors, words.lines) == (["KeyError: 'tax'"], [])
