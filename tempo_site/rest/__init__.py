"""REST operations on Tempo itself: its settings, its API keys, and the audit.

Those on scripts, runs and notifications are in the apps; `tempo_site/api.py` puts all of them together.
"""
