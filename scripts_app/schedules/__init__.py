"""Schedules: saved, armed, paused, and what they mean for people.

`schedules` is the only writer of a schedule and its alarm, `global_pause` stops all of them for a while,
`preview` says in words and moments what a schedule will do.
"""
