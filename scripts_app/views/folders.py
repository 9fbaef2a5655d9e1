"""Folders of scripts: make, rename, move and delete; and the scripts that were deleted."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from scripts_app import bulk, deletion, folders, forms, lookup, scripts
from scripts_app.forms import FolderForm
from scripts_app.models import Folder, Script
from tempo_site import auth

MAX_SHOWN = 500

form_page = require_http_methods(["GET", "HEAD", "POST"])


@form_page
def folder_new(request: auth.SignedInRequest) -> HttpResponse:
    above = request.GET.get("folder", "")
    form = FolderForm(request.POST or None, initial={"path": f"{above}/" if above else ""})
    if form.is_valid():
        folder = forms.attempt(form, lambda: folders.create(form.cleaned_data["path"]))
        if folder is not None:
            messages.success(request, f"Made the folder `{folder.path}`.")
            return redirect(address(folder))
    return render(request, "scripts/folder_new.html", {"form": form})


@form_page
def folder_edit(request: auth.SignedInRequest, pk: int) -> HttpResponse:
    folder = lookup.folder(pk)
    form = FolderForm(request.POST or None, initial={"path": folder.path})
    if form.is_valid():
        moved = forms.attempt(form, lambda: folders.move(folder, path=form.cleaned_data["path"]))
        if moved is not None:
            messages.success(request, f"The folder is `{moved.path}` now.")
            return redirect(address(moved))
    stored = lookup.folder(pk)  # a path that was typed and refused stays in the form
    branch = next((branch for branch in folders.tree() if branch.pk == pk), None)
    context = {"folder": stored, "branch": branch, "form": form, "address": address(stored)}
    return render(request, "scripts/folder_edit.html", context)


@require_POST
def folder_delete(request: auth.SignedInRequest, pk: int) -> HttpResponse:
    folder = lookup.folder(pk)
    confirm = request.POST.get("confirm", "").strip()
    try:
        count = deletion.delete_folder(folder, confirm=confirm, now=timezone.now())
    except scripts.ScriptError as refusal:
        messages.error(request, str(refusal))
        return redirect("folder-edit", pk)
    done = f"Deleted the folder `{folder.path}`"
    if count:
        done += f" with {bulk.count_of_scripts(count)}"
    messages.success(request, f"{done}.")
    return redirect("script-list")


@require_safe
def deleted_scripts(request: auth.SignedInRequest) -> HttpResponse:
    rows = Script.objects.restorable().order_by("-deleted_at", "pk")[:MAX_SHOWN]
    context = {
        "now": timezone.now(),
        "rows": [(script, deletion.ends_at(script)) for script in rows],
    }
    return render(request, "scripts/deleted.html", context)


@require_POST
def script_restore(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    script = lookup.deleted(slug)
    try:
        deletion.restore(script, now=timezone.now())
    except scripts.ScriptError as refusal:
        messages.error(request, str(refusal))
        return redirect("deleted-scripts")
    messages.success(request, f"Restored `{script.name}`.")
    return redirect("script-overview", slug)


def address(folder: Folder) -> str:
    return f"{reverse('script-list')}?{urlencode({'folder': folder.path})}"
