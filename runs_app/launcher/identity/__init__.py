"""The user that a script runs as, and the paths that a script may reach.

`users` changes the user, `file_access` says as whom a file is touched, `giving` gives files to a script's user,
`landlock` closes paths, `limits` sets resource limits, `prctl` holds the system calls, `keyring` begins a session
keyring, `data_folder` tries which modes and owners the data folder keeps, `isolation` decides on the layers of a run;
`confined` starts a program of Tempo's own with some of them.
"""
