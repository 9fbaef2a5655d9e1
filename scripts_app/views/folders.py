"""Folders of scripts: a new one, its name and place, and its end; and the scripts that were deleted."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from scripts_app import deletion, folders, forms, lookup, scripts
from scripts_app.forms import FolderForm
from scripts_app.models import Folder, Script
from tempo_site import auth

MAX_SHOWN = 500

form_page = require_http_methods(["GET", "HEAD", "POST"])


@form_page
def folder_new(request: auth.SignedInRequest) -> HttpResponse:
    """Make a folder; `?folder=` is the one it is proposed in."""
    above = request.GET.get("folder", "")
    form = FolderForm(request.POST or None, initial={"path": f"{above}/" if above else ""})
    made = (
        forms.attempt(form, lambda: folders.create(form.cleaned_data["path"]))
        if form.is_valid()
        else None
    )
    if made is not None:
        messages.success(request, f"Made the folder `{made.path}`.")
        return redirect(address(made))
    return render(request, "scripts/folder_new.html", {"form": form})


@form_page
def folder_edit(request: auth.SignedInRequest, pk: int) -> HttpResponse:
    """Rename or move a folder with everything below it; from here it can be deleted as well."""
    folder = lookup.folder(pk)
    form = FolderForm(request.POST or None, initial={"path": folder.path})
    moved = (
        forms.attempt(form, lambda: folders.move(folder, path=form.cleaned_data["path"]))
        if form.is_valid()
        else None
    )
    if moved is not None:
        messages.success(request, f"The folder is `{moved.path}` now.")
        return redirect(address(moved))
    return show(request, lookup.folder(pk), form)


@require_POST
def folder_delete(request: auth.SignedInRequest, pk: int) -> HttpResponse:
    """Delete a folder; one that holds anything only when `confirm` names it."""
    folder = lookup.folder(pk)
    try:
        count = deletion.delete_folder(
            folder, confirm=request.POST.get("confirm", "").strip(), now=timezone.now()
        )
    except scripts.ScriptError as refusal:
        messages.error(request, str(refusal))
        return redirect("folder-edit", pk)
    went = f" with {count} script{'' if count == 1 else 's'}" if count else ""
    messages.success(request, f"Deleted the folder `{folder.path}`{went}.")
    return redirect("script-list")


@require_safe
def deleted_scripts(request: auth.SignedInRequest) -> HttpResponse:
    """The scripts that can be restored, the newest deletion first."""
    rows = Script.objects.restorable().order_by("-deleted_at", "pk")[:MAX_SHOWN]
    context = {
        "now": timezone.now(),
        "rows": [(script, deletion.ends_at(script)) for script in rows],
    }
    return render(request, "scripts/deleted.html", context)


@require_POST
def script_restore(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    """Bring a deleted script back and go to it."""
    script = lookup.deleted(slug)
    try:
        deletion.restore(script, now=timezone.now())
    except scripts.ScriptError as refusal:
        messages.error(request, str(refusal))
        return redirect("deleted-scripts")
    messages.success(request, f"Restored `{script.name}`.")
    return redirect("script-detail", slug)


def show(request: HttpRequest, folder: Folder, form: FolderForm) -> HttpResponse:
    """The page of a folder."""
    branch = next((branch for branch in folders.tree() if branch.pk == folder.pk), None)
    context = {"folder": folder, "branch": branch, "form": form, "address": address(folder)}
    return render(request, "scripts/folder_edit.html", context)


def address(folder: Folder) -> str:
    """Where the scripts of a folder are listed."""
    return f"{reverse('script-list')}?{urlencode({'folder': folder.path})}"
