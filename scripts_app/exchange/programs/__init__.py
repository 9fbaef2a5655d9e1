"""Programs that read what others packed, each started by itself and confined; the standard library alone.

`unpack` puts an archive, a folder or files into an empty folder, `read_database` prints the tables of QingLong.
`portable` says which names of files are taken.
"""
