"""Views that users save of the list of runs: a name for the filters in an address."""

from django.contrib.auth.models import User
from django.db.models import QuerySet

from runs_app.models import SavedView

MAX_NAME, MAX_QUERY = 60, 1000  # characters
MAX_OF_USER = 50


class ViewRefused(ValueError):
    """Why a view is not saved, in a sentence; `hint: ...` behind it says what to do."""


def views_of(user: User) -> QuerySet[SavedView]:
    return SavedView.objects.filter(user=user)


def save(user: User, *, name: str, query: str) -> SavedView:
    """Keep filters under a name, in the place of those that the user had under it. Raises ViewRefused."""
    name = name.strip()
    if not name or len(name) > MAX_NAME:
        raise ViewRefused(f"A view needs a name of at most {MAX_NAME} characters.")
    if not query:
        raise ViewRefused("Nothing is filtered, so there is nothing to save.\nhint: filter first")
    if len(query) > MAX_QUERY:
        raise ViewRefused("The filters are too long to be saved.\nhint: shorten the text")
    views = views_of(user)
    if views.exclude(name=name).count() >= MAX_OF_USER:
        raise ViewRefused(f"You have {MAX_OF_USER} views already.\nhint: delete one first")
    view, _ = views.update_or_create(user=user, name=name, defaults={"query": query})
    return view


def delete(user: User, pk: int) -> None:
    views_of(user).filter(pk=pk).delete()
