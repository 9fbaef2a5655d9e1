"""Starters: small finished scripts that a new one can begin from.

Each is one file that people get as it is; its docstring is what they read before they choose it.
`scripts_app/script_templates.py` lists them.
"""
