"""The parameters that a script declares, and the inputs that its runs get for them.

`declarations` reads parameters from the code or the settings, `parameters` checks inputs and hands them to a run.
Both are free of runs and forms.
"""
