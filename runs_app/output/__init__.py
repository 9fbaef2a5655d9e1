"""What a run wrote and used: read from its files, never held in memory.

`log` reads bytes by offset, `lines` windows of lines and searches, `live` follows a growing log,
`samples` and `usage_chart` give CPU and memory over time.
"""
