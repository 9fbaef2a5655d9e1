"""The files of the script templates: small finished scripts that a new script can begin from.

People get each file as it is; the description in its block is what they read before they choose a template.
`scripts_app/script_templates.py` reads and lists the files.
"""
