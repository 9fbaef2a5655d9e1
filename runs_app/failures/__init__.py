"""Why runs failed: the traceback in a run's stderr, an explanation of it, and failures grouped.

`explanation` explains a run, `traceback_reader` and `error_output` read its log, `own_code` knows the script's files,
`fingerprint` and `groups` put equal failures together, `changes` and `actions` say what is new and what can be done.
"""
