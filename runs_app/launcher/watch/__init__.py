"""Watching over a running script: its tree of processes, its limits, its end.

`supervision` waits for the end, `limit_monitor` ends a run that passes a limit, `verdict` writes `exit.json`;
`sampling`, `tree` and `procfs` read /proc, `failure_hints` and `explanation` say why a script failed,
`orphans` ends the scripts of dead runners.
"""
