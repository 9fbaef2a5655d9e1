"""The way of a message out of the database.

`letters` says what goes to the child that sends and what it answers; `courier` starts that child and speaks to it.
"""
