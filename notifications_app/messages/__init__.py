"""Finished texts of what is told.

`titles` says an event in one line, `report` gathers what is known of it, `output_tail` and `changes` are parts of that,
`compose` makes the content of a letter: text, mail, webhook's body.
"""
