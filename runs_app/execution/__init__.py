"""From an admitted run to the launcher, and from there to the final row.

`spec` describes a run for the launcher, `execution` hands runs over and cancels them, `finish` ends every run,
`environment_check` concludes from an end whether the environment is broken.
"""
