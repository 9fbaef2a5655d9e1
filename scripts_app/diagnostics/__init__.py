"""Problems of a script's text, found without running it.

`check` collects them from `syntax`, `ruff` and `leaked_secrets`; `models` has the shapes they share, and
`limited_subprocess` asks a program with bounded time, memory and output.
"""
