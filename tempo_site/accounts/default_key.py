"""The key of the setting `PYSCHED_DEFAULT_API_KEY`, stored at each start."""

from django.conf import settings
from django.db import transaction

from tempo_site.audit import trail
from tempo_site.lib import secret_key
from tempo_site.models import ApiKey, digest

NAME = "default"


def ensure() -> str:
    """Store `PYSCHED_DEFAULT_API_KEY` as the key `default` with scope full; return a sentence when it was ignored.

    A key of that name with another token is replaced: the setting is the truth. Without the setting no key changes.
    """
    token = settings.DEFAULT_API_KEY.strip()
    if not token:
        return ""
    if secret_key.is_weak(token):
        return (
            "PYSCHED_DEFAULT_API_KEY is a sample or too short and was ignored. "
            f"hint: set {secret_key.MINIMUM_LENGTH} or more random characters, or make a key with `createkey`"
        )
    with transaction.atomic():
        ApiKey.objects.filter(name=NAME).exclude(digest=digest(token)).delete()
        if not ApiKey.objects.filter(digest=digest(token)).exists():
            key, _ = ApiKey.issue(name=NAME, scope=ApiKey.Scope.FULL, token=token)
            trail.record("created", key, changes={"by": "PYSCHED_DEFAULT_API_KEY"})
    return ""
