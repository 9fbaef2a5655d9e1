"""What is read beside exports of Tempo: Python files, crontabs, and what other schedulers write.

`python_files` reads files and folders of files, `cronicle` and `qinglong` their exports and backups; `command_items`
makes items of lines that start a command at a time.
"""
