"""The birth of runs: `triggers` makes the rows, for every door alike.

`retries` starts failed runs again, `builds` turns wanted environments into runs,
`schedule_updates` stores the meaning of a run's end for the schedule.
"""
