"""Programs that run outside Tempo's process: standard library only, started by path.

`build` makes an environment, `install_python` installs a Python, `measure` sums up sizes on the disk.
The programs import neither the project nor each other.
"""
