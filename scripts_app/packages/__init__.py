"""What a script needs to run: requirements, the locks made of them, and the Pythons of this machine.

Texts are read and compared here (`requirements`, `inline_metadata`, `resolution`, `locks`); `index` says where packages
come from, `interpreters` which Pythons there are, `suggestions` what a misspelt name may have meant.
"""
