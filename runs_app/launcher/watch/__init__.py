"""Watching over a running script: its tree of processes, its limits, its end.

`supervision` waits for the end, `limit_monitor` ends what passes a limit, `verdict` writes the last word;
`sampling`, `tree` and `procfs` read /proc, `failure_hints` and `explanation` say why a script failed.
"""
