"""What a run executes: `script` a person's script, `build` an environment's build, `install` another Python.

`registry` finds the program of a run, `program` says what each of them defines, `driver` is common to Tempo's own,
`conditions` are what queued runs wait for.
"""
