"""Variables and secrets for the environment of scripts.

`variables` checks and stores variables, plain or secret;
`rotation` encrypts all secrets anew under another secret key.
"""
