"""Schedules: saved, armed, paused, and described for people.

`schedules` is the only writer of a schedule and its alarm, `global_pause` stops all schedules for a while,
`preview` describes a schedule in words and due moments.
"""
