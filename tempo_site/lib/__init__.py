"""The ground floor: modules that every other package may use.

`paths` and `files` know the data folder, `env` and `secret_key` the settings, `hosts` and `zone` the machine around;
`humanize` writes numbers for people, `waking_broker` wakes django-q2.
"""
