"""Finished runs: listed, archived, summed up and deleted in time.

`history` lists and archives, `retention` deletes by age, number and size, `recent_runs` draws the last
runs of each script, `regression` finds where a script began to fail, `deleted` removes what belonged to
deleted scripts.
"""
