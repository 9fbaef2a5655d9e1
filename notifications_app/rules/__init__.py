"""Who is told of what.

`nearest` finds the rules that count for a script, `book` keeps all rules in memory for the end of every run,
`rules` checks and stores rules, `preview` says what a rule would have told.
"""
