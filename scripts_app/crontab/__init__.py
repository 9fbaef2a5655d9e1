"""Moving in from cron: a crontab is read, shown as proposals for scripts, and imported.

`parser` reads lines, `shell` reads commands, `source_files` reads the Python files of a command.
`importer` proposes and makes scripts, `codegen` writes their code.
"""
