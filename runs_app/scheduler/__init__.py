"""Due moments of schedules become runs, or rows that say why not.

`ticker` sleeps until the next alarm and serves what is due, `due_moments` decides about each moment,
`schedule_history` lists what became of them.
"""
