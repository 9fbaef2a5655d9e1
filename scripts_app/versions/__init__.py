"""Versions of a script's text and settings, and the drafts before them.

`versions` and `drafts` write the rows, `working_copy` keeps the readable files beside the rows,
`diffs`, `comparison` and `settings_snapshot` show the differences of two versions.
"""
