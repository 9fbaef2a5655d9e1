"""A short-lived program of its own that speaks outward; nowhere else are requests, apprise and smtplib imported.

`__main__` starts it, `child` reads letters and writes answers, and each kind of letter has a module that sends it.
It has no database, no secret key and no settings of Tempo's.
"""
