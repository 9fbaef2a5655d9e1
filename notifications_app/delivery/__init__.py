"""The way of a message out of the database.

`teller` is the engine's thread; `batches` says what is sent next, by the rules of `grouping`; `posting` sends it,
`results` is what answers mean, `retries` when to try again, `retention` what is kept.
`letters` says what goes to the child that sends and what it answers; `courier` starts that child and speaks to it.
"""
