"""What pages show that belongs to no single app.

`frame` has what stands around every page, `quick_search` and `palette_acts` answer the palette with `target`s;
`guide` has the help inside the product, `system_page` the page System;
`dashboard` collects the first page, `week` its heat map, `first_steps` its card for newcomers.
"""
