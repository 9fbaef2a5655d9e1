"""How mail leaves: the security of a port, SMTP2GO's server, and the providers with an interface over HTTP."""

SECURITIES = ("auto", "starttls", "ssl", "none")
SSL_PORTS = frozenset({465, 8465, 443})

SMTP2GO_SERVER = "mail.smtp2go.com"
SMTP2GO_STARTTLS_PORTS = (2525, 8025, 587, 80, 25)
SMTP2GO_SSL_PORTS = (465, 8465, 443)
SMTP2GO_HINT = (
    "2525 is hardly ever blocked. Where it is, try 8025, 587, 80 or 25; with TLS from the first byte 465, 8465 or 443, "
    "which most firewalls let through. Where no port works, choose SMTP2GO's interface over HTTPS."
)
# Names of PYSCHED_EMAIL_PROVIDER. Where a provider wants two values they are written with a colon between them.
PROVIDERS = {
    "smtp2go": "SMTP2GO",
    "brevo": "Brevo",
    "mailersend": "MailerSend",
    "mailgun": "Mailgun",
    "mailgun-eu": "Mailgun, Europe",
    "mailjet": "Mailjet (key:secret)",
    "mailtrap": "Mailtrap",
    "mandrill": "Mandrill",
    "postmark": "Postmark",
    "resend": "Resend",
    "scaleway": "Scaleway (key:project)",
    "sendgrid": "SendGrid",
    "sparkpost": "SparkPost",
    "sparkpost-eu": "SparkPost, Europe",
}


def security_of(security: str, port: int) -> str:
    """Return starttls, ssl or none for a connection; `auto` goes by the port."""
    if security != "auto":
        return security
    return "ssl" if port in SSL_PORTS else "starttls"
