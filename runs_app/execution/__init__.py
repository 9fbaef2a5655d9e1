"""From an admitted run to the launcher, and from its end to the final row.

`spec` writes what is to be run, `execution` hands it over and cancels it, `finish` is the one way a run ends,
`environment_check` reads from an end whether the environment is broken.
"""
