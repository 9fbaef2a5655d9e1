"""The page on which staff open paths of the machine to scripts; no other door does."""

from dataclasses import dataclass

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from scripts_app import forms
from scripts_app.files import open_paths
from scripts_app.forms import OpenPathForm
from scripts_app.models import OpenPath
from tempo_site import auth

ONLY_STAFF = "Paths are opened by staff.\nhint: ask a user of the staff"


@dataclass(frozen=True, kw_only=True)
class PathRow:
    row: OpenPath
    why_not: str  # it may have become a link since


@require_http_methods(["GET", "HEAD", "POST"])
def open_path_list(request: auth.SignedInRequest) -> HttpResponse:
    auth.require_staff(request.user, ONLY_STAFF)
    if request.POST.get("act") == "close":
        close(request)
        return redirect("open-paths")
    initial = {"script": request.GET.get("script", "")}
    form = OpenPathForm(request.POST or None, initial=initial, label_suffix="")
    if form.is_valid():
        by, now = request.user.get_username(), timezone.now()
        row = forms.attempt(form, lambda: open_paths.add(by=by, now=now, **form.cleaned_data))
        if row is not None:
            messages.success(request, f"`{row.path}` is open to runs that start from now on.")
            return redirect("open-paths")
    rows = OpenPath.objects.select_related("script").filter(script__deleted_at=None)
    context = {
        "now": timezone.now(),
        "form": form,
        "rows": [PathRow(row=row, why_not=open_paths.why_not(row.path)) for row in rows],
        "read": settings.EXTRA_READ_PATHS,
        "write": settings.EXTRA_WRITE_PATHS,
    }
    return render(request, "settings/paths.html", context)


def close(request: HttpRequest) -> None:
    pk = request.POST.get("pk", "")
    is_number = pk.isascii() and pk.isdecimal() and len(pk) < 19
    row = OpenPath.objects.filter(pk=int(pk)).first() if is_number else None
    if row is None:
        messages.info(request, "It was closed already.")
        return
    open_paths.remove(row)
    messages.success(request, f"`{row.path}` is closed to runs that start from now on.")
