"""The user that a script runs as, and the paths that a script may reach.

`users` changes the user, `landlock` closes paths, `limits` sets resource limits, `prctl` holds the system calls,
`keyring` begins a session keyring, `isolation` decides on the layers of a run.
"""
