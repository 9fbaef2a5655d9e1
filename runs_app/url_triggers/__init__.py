"""URL triggers: a request from outside starts a run, closed to whoever shows neither a key nor a signature.

`calls` receives a request; `senders` says who sent it, by `trigger_keys` and `signatures`;
`contents` reads what it says, `filter_rules` whether that starts a run, `replays` what was answered before.
"""
