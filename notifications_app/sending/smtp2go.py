"""SMTP2GO's interface (API v3) as a backend of anymail, for networks that let no SMTP out."""

import json
from typing import Any

from anymail.backends.base_requests import AnymailRequestsBackend, RequestsPayload
from anymail.exceptions import AnymailRequestsAPIError
from anymail.message import AnymailRecipientStatus
from anymail.utils import get_anymail_setting

API_URL = "https://api.smtp2go.com/v3/"


class EmailBackend(AnymailRequestsBackend):
    """Sends by `email/send`, whose answer 200 may hold failures."""

    esp_name = "SMTP2GO"

    def __init__(self, **kwargs: Any) -> None:
        self.api_key = get_anymail_setting(
            "api_key", esp_name=self.esp_name, kwargs=kwargs, allow_bare=True
        )
        api_url = get_anymail_setting(
            "api_url", esp_name=self.esp_name, kwargs=kwargs, default=API_URL
        )
        super().__init__(api_url, **kwargs)

    def build_message_payload(self, message: Any, defaults: Any) -> "Payload":
        return Payload(message, defaults, self)

    def parse_recipient_status(
        self, response: Any, payload: "Payload", message: Any
    ) -> dict[str, AnymailRecipientStatus]:
        """Return the status of each recipient. `failures` is a list of texts that name an address each."""
        body = self.deserialize_json_response(response, payload, message)
        try:
            data = body["data"]
            succeeded, failures = int(data["succeeded"]), json.dumps(data.get("failures") or [])
        except (LookupError, TypeError, ValueError) as error:
            raise AnymailRequestsAPIError(
                "Invalid answer of SMTP2GO",
                email_message=message,
                payload=payload,
                response=response,
                backend=self,
            ) from error
        found = {}
        for address in payload.recipients:
            is_failed = not succeeded or address.casefold() in failures.casefold()
            status = "rejected" if is_failed else "queued"
            found[address] = AnymailRecipientStatus(message_id=data.get("email_id"), status=status)
        return found


class Payload(RequestsPayload):
    """The fields of `email/send`."""

    def __init__(self, message: Any, defaults: Any, backend: EmailBackend) -> None:
        headers = {"Content-Type": "application/json", "X-Smtp2go-Api-Key": backend.api_key}
        self.recipients: list[str] = []
        super().__init__(message, defaults, backend, headers=headers)

    def get_api_endpoint(self) -> str:
        return "email/send"

    def init_payload(self) -> None:
        self.data: dict[str, Any] = {}

    def serialize_data(self) -> str:
        return json.dumps(self.data)

    def set_from_email(self, email: Any) -> None:
        self.data["sender"] = email.address

    def set_recipients(self, recipient_type: str, emails: list[Any]) -> None:
        if emails:
            self.data[recipient_type] = [email.address for email in emails]
            self.recipients += [email.addr_spec for email in emails]

    def set_subject(self, subject: str) -> None:
        self.data["subject"] = subject

    def set_reply_to(self, emails: list[Any]) -> None:
        if emails:
            value = ", ".join(email.address for email in emails)
            self.set_extra_headers({"Reply-To": value})

    def set_extra_headers(self, headers: dict[str, str]) -> None:
        fields = [{"header": name, "value": value} for name, value in headers.items()]
        self.data.setdefault("custom_headers", []).extend(fields)

    def set_text_body(self, body: str) -> None:
        self.data["text_body"] = body

    def set_html_body(self, body: str) -> None:
        self.data["html_body"] = body

    def add_attachment(self, attachment: Any) -> None:
        self.unsupported_feature("attachments")
