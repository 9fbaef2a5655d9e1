"""The requirements of scripts, locks, the package index, and the Pythons of this machine.

`requirements` with `requirement_lines` and `requirement_hints`, `inline_metadata`, `resolution` and `locks` read and
compare texts, `index` has the settings of the package index, `interpreters` finds Pythons, `suggestions` corrects
misspelt names of packages, `uv_messages` tells what uv says.
"""
