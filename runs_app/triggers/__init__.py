"""Where a run is born: `triggers` makes its row, for every door alike.

`retries` starts failed runs again, `builds` turns wanted environments into runs,
`schedule_updates` moves the schedules of a script that a trigger concerns.
"""
