"""What comes and goes in bodies of HTTP, for pages, the API, triggers and webhooks.

`json_body` counts JSON before it is parsed, `body_type` refuses what is none, `standard_webhooks` signs.
"""
