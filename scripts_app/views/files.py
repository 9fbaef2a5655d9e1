"""The files of a script: what lies in its `files/`, uploads, downloads, and what is deleted."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_safe

from scripts_app import lookup, scripts
from scripts_app.files import downloads
from scripts_app.files import store as files_store
from scripts_app.files.store import NoSuchFile
from scripts_app.models import Script
from tempo_site import auth

PAGE = 200


@require_http_methods(["GET", "HEAD", "POST"])
def script_file_list(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    """A folder below `files/` (`?folder=`, `?after=`). A POST stores uploads, or makes the folder that is named."""
    script, folder = lookup.script(slug), request.GET.get("folder", "")
    if request.method == "POST":
        store(request, script, folder)
        return redirect(address(script, folder))
    try:
        found = files_store.listing(script, folder, after=request.GET.get("after", ""), limit=PAGE)
    except NoSuchFile as missing:
        raise Http404(str(missing)) from missing
    except scripts.ScriptError as refusal:
        messages.error(request, str(refusal))
        return redirect("script-file-list", slug) if folder else redirect("script-detail", slug)
    context = {
        "now": timezone.now(),
        "script": script,
        "folder": folder,
        "above": list(crumbs(folder)),
        "found": found,
        "is_further": "after" in request.GET,
    }
    return render(request, "scripts/files.html", context)


def store(request: HttpRequest, script: Script, folder: str) -> None:
    """Store what was sent, or make the folder that was named, and say what was done; one refusal stops no other."""
    name, done = request.POST.get("name", "").strip(), 0
    try:
        if name:
            files_store.make_folder(script, files_store.joined(folder, name))
            messages.success(request, f"Made the folder `{name}`.")
            return
    except scripts.ScriptError as refusal:
        messages.error(request, str(refusal))
        return
    for file in request.FILES.getlist("file"):
        path = files_store.joined(folder, file.name or "")
        try:
            files_store.save(
                script, path, file.chunks(), replace=request.POST.get("replace") == "1"
            )
        except scripts.ScriptError as refusal:
            messages.error(request, str(refusal))
        else:
            done += 1
    if done:
        messages.success(request, f"Stored {done} file{'' if done == 1 else 's'}.")
    elif not request.FILES:
        messages.warning(request, "No file was chosen.")


@require_safe
def script_file_download(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    """A file (`?path=`), to be stored by the browser and never shown."""
    path = request.GET.get("path", "")
    try:
        return downloads.attachment(files_store.opened(lookup.script(slug), path), name=path)
    except scripts.ScriptError as refusal:
        raise Http404(str(refusal)) from refusal


@require_http_methods(["GET", "HEAD", "POST"])
def script_file_delete(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    """Ask, naming it, then delete a file or a folder with all in it (`?path=`)."""
    script, path = lookup.script(slug), request.GET.get("path", "")
    folder = path.rpartition("/")[0]
    if request.method == "POST":
        try:
            files_store.delete(script, path, recursive=True)
        except scripts.ScriptError as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, f"Deleted `{path}`.")
        return redirect(address(script, folder))
    context = {
        "now": timezone.now(),
        "script": script,
        "path": path,
        "back": address(script, folder),
    }
    return render(request, "scripts/file_delete.html", context)


def crumbs(folder: str) -> Any:
    """Each folder on the way, with its own name."""
    parts = folder.split("/") if folder else []
    return ((part, "/".join(parts[: at + 1])) for at, part in enumerate(parts))


def address(script: Script, folder: str) -> str:
    """Where a folder is listed."""
    place = reverse("script-file-list", args=[script.slug])
    return f"{place}?{urlencode({'folder': folder})}" if folder else place
