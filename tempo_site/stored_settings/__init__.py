"""The settings that people edit on pages: typed, stored in the database, and below the environment.

`fields` says what a setting is, one module a section lists its settings, `registry` lists the sections,
`store` reads and saves values: what the environment gives wins, then what is stored, then the default.
"""
