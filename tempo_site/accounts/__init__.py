"""Users of Tempo: who may enter the admin, and that at least one user always can.

`tokens` makes the text of keys, `keys` makes and revokes them, `rate_limits` counts who comes how often, `attempts` who
fails to log in. `users` guards against a Tempo without staff, `backends` tells what staff may do, `hashers` hashes,
`sessions` says how long a log-in holds.
Log-in and API keys: `tempo_site/auth.py`, `tempo_site/views.py`.
"""
