"""Who is told, and how.

`channels` checks and stores channels, `targets` is what the child that sends gets of one, `offers` makes channels of
what Tempo knows already. `addresses` says what may be connected to, `offered_services` which chats and push services
are offered, `presets` how a form becomes the address of one; `mail_servers` knows ports of mail.
"""
