"""Who is told, and how.

`addresses` says what may be connected to, `offered_services` which chats and push services are offered, `presets`
how a form becomes the address of one; `mail_servers` knows ports and providers of mail.
"""
