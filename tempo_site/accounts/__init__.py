"""Users of Tempo: who may enter the admin, and that somebody always can.

`users` guards against locking everybody out, `backends` tells Django what staff may do.
Log-in and API keys: `tempo_site/auth.py`, `tempo_site/views.py`.
"""
