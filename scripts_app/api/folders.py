"""REST operations on folders of scripts."""

from django.http import HttpRequest
from django.utils import timezone
from ninja.responses import Status
from pydantic import BaseModel, ConfigDict, Field

from scripts_app import deletion, folders, lookup
from scripts_app.api.common import router
from scripts_app.models import Folder
from tempo_site.web.api_types import Cursor, Limit, cursor_after, number_of


class FolderIn(BaseModel):
    """A folder's whole path: `Ops/Nightly`."""

    model_config = ConfigDict(extra="forbid")

    path: str


class FolderDelete(BaseModel):
    """The confirmation for a folder that is not empty."""

    model_config = ConfigDict(extra="forbid")

    confirm: str = Field(
        default="", description="The folder's path: all that is in it is to be deleted, too."
    )


class FolderOut(BaseModel):
    """A folder; `scripts` counts the scripts in folders below as well."""

    id: int
    path: str
    scripts: int


class FolderPage(BaseModel):
    """Folders, oldest first."""

    items: list[FolderOut]
    next_cursor: str | None


@router.get("/folders", response=FolderPage, tags=["folders"])
def list_folders(request: HttpRequest, limit: Limit, cursor: Cursor) -> FolderPage:
    """List folders; a folder above another folder is listed as well."""
    after = number_of(cursor) or 0
    later = [branch for branch in folders.tree() if branch.pk > after]
    later.sort(key=lambda branch: branch.pk)
    items = [
        FolderOut(id=branch.pk, path=branch.path, scripts=branch.count) for branch in later[:limit]
    ]
    next_cursor = cursor_after(later, limit)
    return FolderPage.model_construct(items=items, next_cursor=next_cursor)


@router.post("/folders", response={201: FolderOut}, tags=["folders"])
def create_folder(request: HttpRequest, data: FolderIn) -> Status[FolderOut]:
    """Make a folder, and missing folders above."""
    return Status(201, folder_out(folders.create(data.path)))


@router.patch("/folders/{int:folder_id}", response=FolderOut, tags=["folders"])
def move_folder(request: HttpRequest, folder_id: int, data: FolderIn) -> FolderOut:
    """Rename or move a folder with all folders and scripts below."""
    return folder_out(folders.move(lookup.folder(folder_id), path=data.path))


@router.delete("/folders/{int:folder_id}", response={204: None}, tags=["folders"])
def delete_folder(
    request: HttpRequest, folder_id: int, data: FolderDelete | None = None
) -> Status[None]:
    """Delete a folder. A folder that is not empty goes with all content, when the body confirms with the path."""
    confirm = data.confirm if data else ""
    deletion.delete_folder(lookup.folder(folder_id), confirm=confirm, now=timezone.now())
    return Status(204, None)


def folder_out(folder: Folder) -> FolderOut:
    return FolderOut(id=folder.pk, path=folder.path, scripts=folders.scripts_in(folder).count())
