"""Who is told, and how.

`channels` checks and stores channels and keeps their secrets encrypted, `targets` is what the child that sends gets of
one, `offers` makes channels of what Tempo knows already.
"""
