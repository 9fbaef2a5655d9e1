"""What happened, as rows of the outbox.

`announcing` takes the ends of runs that nobody has told yet, `incidents` keeps what goes on being wrong, `outbox`
writes rows. `conditions` looks at what is no run, `overdue` at runs under way; `heartbeats`, `reminders` and
`weekly_report` go by the clock, `restarts` knows a crash when Tempo comes back.
"""
