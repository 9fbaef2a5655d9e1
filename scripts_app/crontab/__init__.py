"""Moving in from cron: a crontab is read, shown as proposals for scripts, and imported.

`parser`, `dialects` and `timers` read lines; `command_list`, `unwrap`, `wrappers` and `shell` read commands.
`needs`, `neighbours`, `virtual_environments` and `source_files` read what a command needs; `reach` what it will miss.
`conversion` and `codegen` write code, `importer` proposes and makes scripts.
"""
