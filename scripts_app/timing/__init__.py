"""When a schedule is due, as plain functions of a timing and an instant, without the database.

`rule` is the door; `cron_expression` and `simple` read and write expressions.
`cron_rule`, `due_times`, `wall_clock` and `zones` hold the sets of instants behind an expression.
"""
