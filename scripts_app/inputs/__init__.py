"""The inputs of a run: which parameters a script has, and how values for them are checked.

`declarations` reads parameters from the code or the settings, `parameters` checks values and hands them to a run.
Neither knows of runs or forms.
"""
