"""What a run wrote and used: read from its files, never held in memory.

`records` knows the format of the log, `log` reads bytes by offset, `live` follows a growing log;
`line_index` and `line_search` find lines of a log by number and by text, `lines` asks both for a run;
`samples` and `usage_chart` give CPU and memory over time.
"""
