"""Sends a heartbeat: a ping of Healthchecks, or a push of Uptime Kuma."""

from urllib.parse import urlencode, urlsplit, urlunsplit

from notifications_app.delivery.letters import Answer, Letter
from notifications_app.sending import texts, webhook

MAX_TEXT = 10_000  # Healthchecks keeps the first 100 kB
MAX_KUMA_TEXT = 250  # it stands in the address


def send(letter: Letter) -> Answer:
    """Return what the receiver made of the signal; Uptime Kuma has no signal for a start."""
    signal = str(letter.content["signal"])
    text = texts.clean(letter.content.get("text", ""))
    if letter.target["flavour"] == "healthchecks":
        url = healthchecks_url(letter.target["url"], signal, run=letter.content.get("run", ""))
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        return webhook.post(letter, url, texts.cut(text, MAX_TEXT), headers)
    if signal == "start":
        return Answer(id=letter.id, outcome="sent", answer="Uptime Kuma has no signal for a start")
    return webhook.post(letter, uptime_kuma_url(letter.target["url"], signal, text=text), "", {})


def healthchecks_url(url: str, signal: str, *, run: str = "") -> str:
    """Return where to ping: the address alone for a success, else with `/start`, `/fail` or the exit status."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    if signal != "success":
        path += f"/{signal}"
    query = parts.query  # such as `create=1`
    if run:
        query = "&".join(filter(None, (query, urlencode({"rid": run}))))
    return urlunsplit((parts.scheme, parts.netloc, path, query, ""))


def uptime_kuma_url(url: str, signal: str, *, text: str) -> str:
    """Return where to push; what the address has behind its `?` is an example of Kuma's page and is replaced."""
    parts = urlsplit(url)
    is_up = signal in ("success", "0")
    status = "up" if is_up else "down"
    message = texts.cut(texts.one_line(text), MAX_KUMA_TEXT) or ("OK" if is_up else "failed")
    query = urlencode({"status": status, "msg": message, "ping": ""})
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))
