"""The section for mail: the server or the provider that takes Tempo's mails."""

from tempo_site.stored_settings.fields import FieldKind, Section, SettingField

SECURITY = (
    ("auto", "Automatic, by the port"),
    ("starttls", "STARTTLS"),
    ("ssl", "TLS from the start"),
    ("none", "None: password and mails go in clear"),
)
# Where a provider wants two values they are written with a colon between them.
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

SECTION = Section(
    slug="mail",
    title="Mail",
    help="How mails leave Tempo. Who gets them is said by channels and rules.",
    fields=(
        SettingField(
            name="SMTP_SERVER",
            attribute="SMTP_SERVER",
            kind=FieldKind.TEXT,
            label="Mail server",
            help="Its name, like `mail.smtp2go.com`. Empty: no mail leaves.",
        ),
        SettingField(
            name="SMTP_PORT",
            attribute="SMTP_PORT",
            kind=FieldKind.NUMBER,
            label="Port",
            help="587 mostly. SMTP2GO (`mail.smtp2go.com`): 2525 is hardly ever blocked, else 8025, 587, 80 or 25, "
            "and with TLS from the start 465, 8465 or 443.",
            minimum=1,
            maximum=65_535,
        ),
        SettingField(
            name="SMTP_SECURITY",
            attribute="SMTP_SECURITY",
            kind=FieldKind.CHOICE,
            label="Encryption",
            choices=SECURITY,
            help="Automatic: TLS from the start on 465, 8465 and 443, else STARTTLS. "
            "The server's certificate is verified.",
        ),
        SettingField(
            name="SMTP_USERNAME",
            attribute="SMTP_USERNAME",
            kind=FieldKind.TEXT,
            label="User",
            help="Empty: the server asks for no log-in.",
        ),
        SettingField(
            name="SMTP_PASSWORD",
            attribute="SMTP_PASSWORD",
            kind=FieldKind.SECRET,
            label="Password",
        ),
        SettingField(
            name="FROM_EMAIL",
            attribute="FROM_EMAIL",
            kind=FieldKind.ADDRESS,
            label="Sender",
            help="The address that mails come from, one that the server lets this user send from.",
        ),
        SettingField(
            name="PYSCHED_EMAIL_PROVIDER",
            attribute="EMAIL_PROVIDER",
            kind=FieldKind.CHOICE,
            label="Send by",
            choices=(("", "The mail server above"), *PROVIDERS.items()),
            help="A provider's own API goes over HTTPS, where a network blocks mail servers. It needs a key.",
        ),
        SettingField(
            name="PYSCHED_EMAIL_API_KEY",
            attribute="EMAIL_API_KEY",
            kind=FieldKind.SECRET,
            label="Key of the provider",
        ),
        SettingField(
            name="PYSCHED_NOTIFY_PRIVATE",
            attribute="NOTIFY_PRIVATE",
            kind=FieldKind.SWITCH,
            label="Private addresses",
            help="Messages may go to addresses of the own network, like `192.168.1.10`.",
        ),
    ),
)
