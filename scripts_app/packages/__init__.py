"""The requirements of scripts, locks, the package index, and the Pythons of this machine.

`requirements`, `inline_metadata`, `resolution` and `locks` read and compare texts, `index` has the settings of the
package index, `interpreters` finds Pythons, `suggestions` corrects misspelt names of packages.
"""
