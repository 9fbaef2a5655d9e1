"""Scripts as plain files: exported for people, git and other tools, and imported again.

`items` is a script outside of Tempo; `exporting` and `zip_stream` write the tree, `toml_text` the tables.
`staging` takes in what was handed over, `reading` and the formats read it, `preview` says what would become of it,
`applying` and `placing` make it so.
"""
