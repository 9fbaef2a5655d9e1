"""Backups of this Tempo, and their way back: files that hold everything, made and read by a program of its own.

`archive` is that program, `program` starts it, `backup_files` knows the files there are.
"""
