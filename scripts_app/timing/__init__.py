"""When a schedule is due: the rule, and the calendars behind it.

Plain functions of a timing and a moment, without the database; `rule` is the door, `cron` and `simple` read and
write expressions, `due_times` and `wall_clock` hold the sets of moments they mean.
"""
