"""REST operations on the files of a script: the folder `files/`, where runs begin."""

from datetime import datetime
from typing import Annotated

from django.http import HttpRequest, StreamingHttpResponse
from django.urls import register_converter
from django.urls.converters import PathConverter
from ninja import File, Form, UploadedFile
from ninja.errors import HttpError
from ninja.responses import Status
from pydantic import BaseModel

from scripts_app import lookup
from scripts_app.api.common import router
from scripts_app.files import downloads, store
from scripts_app.files.store import FileEntry
from scripts_app.validation import ScriptError
from tempo_site.lib.wire import body_type
from tempo_site.web.api_types import Limit, content

MAX_FILES = 100
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded", "")
BINARY = content("application/octet-stream")


class AnyPath(PathConverter):
    """Django's own knows no line break, and a script may name its files so."""

    regex = "(?s:.+)"


register_converter(AnyPath, "any_path")


class FileOut(BaseModel):
    """An entry of a folder. `kind` is file, folder, link or other; a link is never followed."""

    name: str
    path: str
    kind: str
    size_bytes: int
    changed_at: datetime


class FilePage(BaseModel):
    """A folder, by name."""

    items: list[FileOut]
    next_cursor: str | None


class StoredFiles(BaseModel):
    """The paths that were stored."""

    paths: list[str]


@router.get("/scripts/{slug:slug}/files", response=FilePage, tags=["files"])
def list_files(
    request: HttpRequest, slug: str, limit: Limit, folder: str = "", cursor: str = ""
) -> FilePage:
    """List the entries of `files/`, or of a folder below."""
    found = store.listing(lookup.script(slug), folder, after=cursor, limit=limit)
    return FilePage.model_construct(
        items=[file_out(entry) for entry in found.entries], next_cursor=found.following or None
    )


@router.post("/scripts/{slug:slug}/files", response={201: StoredFiles}, tags=["files"])
def upload_files(
    request: HttpRequest,
    slug: str,
    file: Annotated[list[UploadedFile], File(default=[])],
    folder: Annotated[str, Form(default="")],
    replace: Annotated[bool, Form(default=False)],
) -> Status[StoredFiles]:
    """Store files (`multipart/form-data`) in `files/`, or in the named folder below.

    The folder is made, too; without a file only the folder is made. A taken name is refused unless `replace`.
    """
    script = lookup.script(slug)
    if request.content_type not in FORMS:
        raise HttpError(415, body_type.refusal(request.content_type or "", wanted=FORMS[0]))
    if not file and not folder:
        raise ScriptError(
            "There is no file in the request\nhint: send it as `multipart/form-data`", field="file"
        )
    if len(file) > MAX_FILES:
        raise ScriptError(f"{len(file)} files at once; {MAX_FILES} is the most", field="file")
    if not file:
        store.make_folder(script, folder)
        return Status(201, StoredFiles(paths=[folder]))
    paths = []
    for upload in file:
        path = store.joined(folder, upload.name or "")
        store.save(script, path, upload.chunks(), replace=replace)
        paths.append(path)
    return Status(201, StoredFiles(paths=paths))


@router.get(
    "/scripts/{slug:slug}/files/{any_path:path}",
    response={200: None},
    tags=["files"],
    openapi_extra=BINARY,
)
def download_file(request: HttpRequest, slug: str, path: str) -> StreamingHttpResponse:
    """Download a file."""
    return downloads.attachment(store.opened(lookup.script(slug), path), name=path)


@router.delete("/scripts/{slug:slug}/files/{any_path:path}", response={204: None}, tags=["files"])
def delete_file(
    request: HttpRequest, slug: str, path: str, recursive: bool = False
) -> Status[None]:
    """Delete a file or a folder; a folder that is not empty only with `recursive`."""
    store.delete(lookup.script(slug), path, recursive=recursive)
    return Status(204, None)


def file_out(entry: FileEntry) -> FileOut:
    return FileOut.model_construct(
        name=entry.name,
        path=entry.path,
        kind=entry.kind,
        size_bytes=entry.size_bytes,
        changed_at=entry.changed_at,
    )
