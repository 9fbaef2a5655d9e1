"""Lists as files: `table` makes CSV and JSON of rows, for every list of every app alike.

`runs` and `lists` say what the rows of a list are.
"""
