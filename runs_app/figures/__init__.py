"""What runs add up to, day by day: success, durations, resources, punctuality, streaks.

`tally` adds up runs, `durations` is the sketch that medians are taken from, `counting` writes a row for each
script and day, `reading` gives them back with the runs that are not counted yet, `script_overview` and
`all_scripts` are what pages and the API show of them.
"""
