"""Variables and secrets for the environment of scripts.

`variables` checks and stores them, `encryption` keeps secrets unreadable in the database,
`rotation` encrypts all of them anew under another secret key.
"""
