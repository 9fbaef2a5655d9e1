"""Who a script runs as and what it may reach.

`users` changes the user, `landlock` closes paths, `limits` sets resource limits, `prctl` holds the system calls,
`isolation` decides which of them a run gets.
"""
