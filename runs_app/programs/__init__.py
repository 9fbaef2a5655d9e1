"""The programs that runs execute: `script` for scripts, `build` for environments, `install` for Pythons.

`backup` makes and reads backups. `registry` finds the program of a run, `program` lists the verbs of every program,
`driver` is common to Tempo's own, `wait_conditions` say why a queued run waits.
"""
