"""Users of Tempo: who may enter the admin, and that at least one user always can.

`users` guards against a Tempo without staff, `backends` tells Django what staff may do,
`hashers` how passwords are hashed.
Log-in and API keys: `tempo_site/auth.py`, `tempo_site/views.py`.
"""
