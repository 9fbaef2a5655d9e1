"""From a script's pipes into the run's log.

`capture` copies, `masking` takes out secrets in all their `secret_forms` and `readings` of the output,
`log_file` writes records and their index, `tail` keeps the last of them once the log is full,
`record_format` says what a record looks like.
"""
