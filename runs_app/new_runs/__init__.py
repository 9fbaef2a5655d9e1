"""The rows of new runs, and what they are written for.

`new_runs` makes and queues the rows, `retries` starts failed runs again,
`schedule_updates` stores the meaning of a run's end for the schedule.
"""
