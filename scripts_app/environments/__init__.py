"""Environments: requested, built, checked, upgraded and cleaned up.

An environment is a row and a folder shared by all scripts with the same lock. `builds` and `python_installation`
prepare the programs in `drivers`, and `runs_app` runs these programs.
"""
