"""What pages show that belongs to no single app.

`dashboard` collects the first page, `context` the frame around every page,
`quick_search` answers the palette.
"""
