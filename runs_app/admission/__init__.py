"""Which queued run begins next: places, order, memory.

`admission` moves runs from `queued` to `starting`, `memory` says what fits,
`explain` says in words what each queued run waits for.
"""
