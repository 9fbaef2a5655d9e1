"""The files of a script: the listing of `files/`, uploads, downloads, deletion, and texts in the editor."""

from datetime import datetime
from typing import TypedDict

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_safe

from scripts_app import lookup, scripts
from scripts_app.files import downloads, text_files
from scripts_app.files import store as files_store
from scripts_app.files.store import Listing, NoSuchFile
from scripts_app.files.text_files import TextConflict, TextFile
from scripts_app.models import Script
from tempo_site import auth

PAGE = 200


class FileListContext(TypedDict):
    now: datetime
    script: Script
    folder: str
    above: list[tuple[str, str]]
    found: Listing
    editable: list[str]
    is_further: bool


class FileEditContext(TypedDict):
    now: datetime
    script: Script
    path: str
    name: str
    is_python: bool
    text: str
    based_on: str
    error: str
    conflict: TextConflict | None
    tabs: list[str]
    back: str
    zone: str


@require_http_methods(["GET", "HEAD", "POST"])
def script_file_list(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    now = timezone.now()
    script = lookup.script_for_page(slug, now=now)
    folder = request.GET.get("folder", "")
    if request.method == "POST":
        name = request.POST.get("name", "").strip()
        if name and request.POST.get("kind") == "text":
            return redirect(edit_address(script, files_store.joined(folder, name), is_new=True))
        if name:
            make_folder(request, script, files_store.joined(folder, name), name=name)
        else:
            store_uploads(request, script, folder)
        return redirect(address(script, folder))
    try:
        found = files_store.listing(script, folder, after=request.GET.get("after", ""), limit=PAGE)
    except NoSuchFile as missing:
        raise Http404(str(missing)) from missing
    except scripts.ScriptError as refusal:
        messages.error(request, str(refusal))
        return redirect("script-file-list" if folder else "script-overview", slug)
    context: FileListContext = {
        "now": now,
        "script": script,
        "folder": folder,
        "above": crumbs(folder),
        "found": found,
        "editable": [entry.path for entry in found.entries if text_files.is_offered(entry)],
        "is_further": "after" in request.GET,
    }
    return render(request, "scripts/files.html", context)


def make_folder(request: HttpRequest, script: Script, path: str, *, name: str) -> None:
    try:
        files_store.make_folder(script, path)
    except scripts.ScriptError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"Made the folder `{name}`.")


def store_uploads(request: HttpRequest, script: Script, folder: str) -> None:
    may_replace = request.POST.get("replace") == "1"
    count = 0
    for file in request.FILES.getlist("file"):
        path = files_store.joined(folder, file.name or "")
        try:
            files_store.save(script, path, file.chunks(), replace=may_replace)
        except scripts.ScriptError as refusal:
            messages.error(request, str(refusal))
        else:
            count += 1
    if count:
        files = "1 file" if count == 1 else f"{count} files"
        messages.success(request, f"Stored {files}.")
    elif not request.FILES:
        messages.warning(request, "No file was chosen.")


@require_http_methods(["GET", "HEAD", "POST"])
def script_file_edit(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    """Show a file of the script in the editor; a POST stores it. With `?new=1` the file need not be there yet."""
    script = lookup.script_for_page(slug, now=timezone.now())
    path = request.GET.get("path", "")
    if request.method == "POST":
        return store_text(request, script, path)
    try:
        file = text_files.read(script, path)
    except NoSuchFile as missing:
        if "new" not in request.GET:
            raise Http404(str(missing)) from missing
        file = text_files.NEW
    except scripts.ScriptError as refusal:
        messages.error(request, str(refusal))
        return redirect(address(script, path.rpartition("/")[0]))
    context = file_edit_context(script, path, text=file.text, based_on=file.fingerprint)
    return render(request, "scripts/file_edit.html", context)


def store_text(request: HttpRequest, script: Script, path: str) -> HttpResponse:
    text, based_on = request.POST.get("text", ""), request.POST.get("based_on", "")
    try:
        text_files.save(script, path, text, based_on=based_on)
    except TextConflict as conflict:
        current: TextFile = conflict.current or text_files.NEW
        context = file_edit_context(script, path, text=text, based_on=current.fingerprint)
        context["conflict"] = conflict
        return render(request, "scripts/file_edit.html", context, status=409)
    except scripts.ScriptError as refusal:
        context = file_edit_context(script, path, text=text, based_on=based_on)
        context["error"] = str(refusal)
        return render(request, "scripts/file_edit.html", context, status=422)
    messages.success(request, f"Saved `{path}`.")
    return redirect(edit_address(script, path))


def file_edit_context(script: Script, path: str, *, text: str, based_on: str) -> FileEditContext:
    folder, _, name = path.rpartition("/")
    return {
        "now": timezone.now(),
        "script": script,
        "path": path,
        "name": name,
        "is_python": name.endswith(".py"),
        "text": text,
        "based_on": based_on,
        "error": "",
        "conflict": None,
        "tabs": text_files.tabs(script, path=path),
        "back": address(script, folder),
        "zone": settings.TIME_ZONE,
    }


@require_safe
def script_file_download(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    path = request.GET.get("path", "")
    try:
        return downloads.attachment(files_store.opened(lookup.script(slug), path), name=path)
    except scripts.ScriptError as refusal:
        raise Http404(str(refusal)) from refusal


@require_http_methods(["GET", "HEAD", "POST"])
def script_file_delete(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    script = lookup.script(slug)
    path = request.GET.get("path", "")
    back = address(script, path.rpartition("/")[0])
    if request.method != "POST":
        context = {"now": timezone.now(), "script": script, "path": path, "back": back}
        return render(request, "scripts/file_delete.html", context)
    try:
        files_store.delete(script, path, recursive=True)
    except scripts.ScriptError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"Deleted `{path}`.")
    return redirect(back)


def crumbs(folder: str) -> list[tuple[str, str]]:
    if not folder:
        return []
    names = folder.split("/")
    return [(name, "/".join(names[: depth + 1])) for depth, name in enumerate(names)]


def address(script: Script, folder: str) -> str:
    place = reverse("script-file-list", args=[script.slug])
    if not folder:
        return place
    return f"{place}?{urlencode({'folder': folder})}"


def edit_address(script: Script, path: str, *, is_new: bool = False) -> str:
    query = {"path": path, "new": "1"} if is_new else {"path": path}
    return f"{reverse('script-file-edit', args=[script.slug])}?{urlencode(query)}"
