"""The birth of runs: `triggers` starts them, for every door alike.

`builds` turns wanted environments into runs,
`confirmation` asks before the first run of a version with problems.
"""
