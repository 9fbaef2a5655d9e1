"""Sends to chats and push services through apprise."""

from dataclasses import dataclass
from typing import Any

import apprise
from apprise.plugins import NotifyBase, url_to_dict

from notifications_app.channels import offered_services
from notifications_app.delivery.letters import Answer, Letter
from notifications_app.sending import exchanges, texts
from notifications_app.sending.redaction import readable

# No thread of apprise's own, as what is recorded belongs to a thread; and no second try: the outbox tries again.
_ASSET = apprise.AppriseAsset(
    app_id="Tempo",
    app_desc="Tempo",
    app_url="",
    image_url_mask="",
    image_url_logo="",
    async_mode=False,
    http_redirects=False,
    service_timeout=0,
    pgp_autogen=False,
    pem_autogen=False,
)
MAX_TITLE = 200
_LEAST_TITLE = 40
_BETWEEN = 8  # what apprise writes between title and text, and around a title
# Limits that a service counts in bytes, or that are lower than apprise knows.
_MEASURES = {
    "ntfy": (
        texts.halves_of_json,
        3_800,
    ),  # above 4,096 bytes, or 8,000 of JSON, a text becomes an attachment
    "matrix": (texts.utf8_bytes, 30_000),
}
# Tempo's child keeps nothing from one message to the next, which encryption of Matrix needs.
_ADDED = {"matrix": {"e2ee": False}, "matrixs": {"e2ee": False}}
# What a service answers when there is nobody left to tell, whatever the message.
_GONE = (
    ("discord", 404, ""),
    ("discord", 401, ""),
    ("slack", 404, ""),
    ("slack", 403, "invalid_token"),
    ("slack", 410, ""),
    ("tgram", 401, ""),
    ("tgram", 403, "blocked"),
    ("tgram", 403, "deactivated"),
    ("tgram", 403, "kicked"),
    ("tgram", 400, "chat not found"),
)


@dataclass(frozen=True, kw_only=True)
class _Message:
    title: str
    text: str


def send(letter: Letter) -> Answer:
    """Return what the service made of a message."""
    try:
        plugin = _plugin(letter.target["url"])
    except offered_services.ServiceRefused as error:
        return Answer(id=letter.id, outcome="refused", answer=readable(str(error), letter.target))
    message = _fitted(letter.content, plugin)
    made = exchanges.begin()
    speaker = apprise.Apprise(asset=_ASSET)
    speaker.add(plugin)
    result = speaker.notify(
        title=message.title,
        body=message.text,
        notify_type=letter.content.get("level", "info"),
        body_format=apprise.NotifyFormat.TEXT,
    )
    return _answer(letter, made, is_sent=bool(result))


def _plugin(url: str) -> NotifyBase:
    offered_services.check(url)
    parts = url_to_dict(url)
    if parts:
        # Once more by what apprise itself reads from the address.
        offered_services.check_options(parts["qsd"])
        parts |= _ADDED.get(offered_services.schema_of(url), {})
    plugin = apprise.Apprise.instantiate(parts, asset=_ASSET) if parts else None
    if plugin is None:
        raise offered_services.ServiceRefused("the address of the service is not complete")
    return plugin


def _fitted(content: dict[str, Any], plugin: NotifyBase) -> _Message:
    title = texts.without_calls(texts.one_line(content.get("title", "")))
    text = texts.without_calls(texts.clean(content.get("text", "")))
    service = str(plugin.schema).removesuffix("s")
    measure, limit = _MEASURES.get(service, (texts.characters, plugin.body_maxlen))
    if plugin.title_maxlen > 0:
        limit_of_title = plugin.title_maxlen
    else:  # title and text are one text there, of a hundred characters at times
        limit_of_title = max(_LEAST_TITLE, limit // 3)
    title = texts.cut(title, min(MAX_TITLE, limit_of_title))
    # Some services that know titles write them into the text all the same.
    text = texts.cut(text or title, limit - measure(title) - _BETWEEN, measure=measure)
    return _Message(title=title, text=text)


def _answer(letter: Letter, made: list[exchanges.Exchange], *, is_sent: bool) -> Answer:
    if not made:
        words = "nothing was sent: the service's address is not complete"
        return Answer(id=letter.id, outcome="refused", answer=words)
    decisive = made[-1]
    if not is_sent:
        failed = [exchange for exchange in made if exchange.outcome != "sent"]
        decisive = (failed or made)[-1]
    outcome = decisive.outcome
    if outcome == "sent" and not is_sent:
        outcome = "refused"  # 200, and an error in the text
    if _is_gone(offered_services.schema_of(letter.target["url"]), decisive):
        outcome = "gone"
    return Answer(
        id=letter.id,
        outcome=outcome,
        answer=readable(decisive.words, letter.target),
        status=decisive.status,
        retry_after_s=decisive.retry_after_s,
    )


def _is_gone(schema: str, exchange: exchanges.Exchange) -> bool:
    return any(
        schema == service and exchange.status == status and words in exchange.text
        for service, status, words in _GONE
    )
