"""The threads of `web` that do the work.

`engine` starts and stops all threads, `ticker_thread` and `settler_thread` are the bodies of the two busiest,
`duties` is the table of periodic work, `reconcile` brings rows in line with run folders, `health_checker` looks at
environments, `indexer_thread` at finished logs, `self_check` at the service, `queue_check` at the queue, `data_folders`
makes folders anew, `housekeeping` lists the daily tasks of django-q2.
"""
