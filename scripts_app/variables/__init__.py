"""Variables and secrets for the environment of scripts.

`variables` checks and stores variables, `encryption` keeps secrets unreadable in the database,
`rotation` encrypts all secrets anew under another secret key.
"""
