"""Which queued run begins next: conditions, places, order, memory.

`admission` moves runs from `queued` to `starting`, `memory` estimates needs,
`explain` tells people why a queued run waits.
"""
