"""The lasting files of a script, and the system user they belong to.

`store` lists, uploads, downloads and deletes below `files/`, `downloads` makes safe answers of them,
`users` gives each script a user, `isolation_summary` says what that keeps it from.
"""
