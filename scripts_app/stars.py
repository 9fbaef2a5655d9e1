"""Stars: the scripts that a user wants at the top of the list."""

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, OuterRef

from scripts_app.models import Script, Star
from tempo_site.audit import trail


def switch(script: Script, *, by: User) -> bool:
    """Give a script a user's star, or take it away; return whether it has one now."""
    with transaction.atomic():
        star, is_new = Star.objects.get_or_create(user=by, script=script)
        if not is_new:
            star.delete()
        trail.pass_over()  # nobody else sees it
    return is_new


def has_star(user: User | None) -> Exists:
    """Return whether a script of the query has a user's star."""
    pk = user.pk if user else None
    return Exists(Star.objects.filter(script=OuterRef("pk"), user=pk))
