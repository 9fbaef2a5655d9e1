"""The lasting files of a script, and the system user of the script.

`store` lists, uploads, downloads and deletes below `files/`, `downloads` makes safe HTTP responses,
`users` gives each script a user, `isolation_summary` describes the isolation of a script.
"""
