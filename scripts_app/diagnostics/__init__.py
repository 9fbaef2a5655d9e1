"""Problems of a script's text, found without running the script.

`check` collects the problems that `syntax`, `ruff` and `leaked_secrets` find, as values of `models`;
`limited_subprocess` runs a program with bounded time, memory and output.
"""
