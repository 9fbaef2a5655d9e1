"""REST operations on views: filters of the list of runs that a user keeps under a name."""

from django.contrib.auth.models import User
from django.http import Http404, QueryDict
from ninja.errors import HttpError
from ninja.responses import Status
from pydantic import BaseModel, ConfigDict, Field

from runs_app.api.common import router
from runs_app.history import saved_views
from runs_app.models import SavedView
from tempo_site import auth

WHOSE = "A view belongs to a user.\nhint: use a session, or a key that a user has made"


class ViewIn(BaseModel):
    """The filters, as they stand in the address of the list behind the `?`."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(max_length=4000, examples=["status=failed&since=24h"])


class ViewOut(BaseModel):
    """A view of the user who is signed in, or who made the key."""

    id: int
    name: str
    query: str


class ViewPage(BaseModel):
    """All views by name; there is never a next page."""

    items: list[ViewOut]
    next_cursor: str | None


@router.get("/views", response=ViewPage, tags=["runs"])
def list_views(request: auth.AuthenticatedRequest) -> ViewPage:
    """List the saved views of the list of runs."""
    owner = request.auth.owner
    found = saved_views.views_of(owner) if owner else []
    items = [view_out(view) for view in found]
    return ViewPage.model_construct(items=items, next_cursor=None)


@router.put("/views/{name}", response=ViewOut, tags=["runs"])
def save_view(request: auth.AuthenticatedRequest, name: str, data: ViewIn) -> ViewOut:
    """Keep filters under a name, in place of those that were kept under it."""
    query = QueryDict(data.query.removeprefix("?")).urlencode()
    try:
        return view_out(saved_views.save(owner_of(request), name=name, query=query))
    except saved_views.ViewRefused as refusal:
        raise HttpError(422, str(refusal)) from refusal


@router.delete("/views/{name}", response={204: None}, tags=["runs"])
def delete_view(request: auth.AuthenticatedRequest, name: str) -> Status[None]:
    """Forget a view."""
    owner = request.auth.owner
    view = saved_views.views_of(owner).filter(name=name).first() if owner else None
    if view is None:
        raise Http404(f"There is no view `{name[:80]}`.")
    saved_views.delete(view.user, view.pk)
    return Status(204, None)


def owner_of(request: auth.AuthenticatedRequest) -> User:
    owner = request.auth.owner
    if owner is None:
        raise HttpError(409, WHOSE)
    return owner


def view_out(view: SavedView) -> ViewOut:
    return ViewOut.model_construct(id=view.pk, name=view.name, query=view.query)
