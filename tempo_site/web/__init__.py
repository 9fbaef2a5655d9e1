"""The web process below Django: sockets, the bounds of a request, the way up and down.

`server` runs daphne and the engine, `bounded_request` bounds bodies and answers at the socket by `body_limits`,
`reload` ends the process when a source file changes, `lean_imports` keeps modules out that nobody uses.
"""
