"""Moving in from cron: a crontab is read, shown as scripts to be, and imported.

`parser` reads lines, `shell` their commands, `source_files` the Python files they name;
`importer` proposes and makes scripts, `codegen` writes their code.
"""
