"""Due moments of schedules become runs, or rows that say why not.

`ticker` serves due alarms, `missed_moments` decides about those that were not served in time,
`due_moments` makes the rows, `schedule_history` lists them; `clock_changes` computes next moments anew.
"""
