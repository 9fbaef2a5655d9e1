"""The threads of `web` that keep everything going.

`engine` starts and stops them, `reconcile` folds run folders into rows, `health_checker` looks after
environments, `housekeeping` lists what django-q2 does daily.
"""
