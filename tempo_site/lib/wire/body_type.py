"""The type of a request's body, where it is not the one that is read."""

MAX_KIND = 80


def refusal(kind: str, *, wanted: str) -> str:
    """Return the sentence for a body of a type that is not taken, with a hint that names the one that is."""
    sentence = f"A body of the type `{kind[:MAX_KIND]}` is not taken here."
    return f"{sentence}\nhint: send `Content-Type: {wanted}`"
