"""The program that makes, reads and unpacks backups; the standard library, Zstandard and `cryptography` alone.

`creation` makes a backup out of `database_copy` and `sources`, `reading` checks every byte of one, `unpacking` puts it
into a folder. `members` write the tar, `manifest` is its first member, `packing` and `sealing` lie around it.
"""
