"""The page of backups: what there is, what comes next, and making, verifying, downloading and restoring one."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from runs_app.engine import nightly_backup
from runs_app.models import Run
from runs_app.programs import backup
from runs_app.states import Trigger
from runs_app.triggers import backups
from scripts_app.files import downloads
from scripts_app.models import Script, Variable
from tempo_site import auth
from tempo_site.accounts import rate_limits
from tempo_site.backups import backup_files, holds, restoring
from tempo_site.backups.backup_files import BackupFile, NoSuchBackup
from tempo_site.backups.program import BackupFailed
from tempo_site.bootstrap import first_start
from tempo_site.lib import encryption, paths
from tempo_site.stored_settings import backup as section
from tempo_site.stored_settings import store

SETUP_OVER = "Tempo is set up already."
FOR_STAFF = "Only staff may see backups."
RESUMED = "Resumed: schedules, triggers and messages go on."


class RestoreForm(forms.Form):
    passphrase = forms.CharField(
        required=False,
        strip=True,
        widget=forms.PasswordInput,
        help_text="Of a backup with another one than in the settings.",
    )
    sure = forms.BooleanField(label="Put this backup in the place of what is here")


class SetupBackupForm(forms.Form):
    backup = forms.ChoiceField()
    passphrase = forms.CharField(required=False, strip=True, widget=forms.PasswordInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = [(row.name, row.name) for row in backup_files.listed()]
        self.fields["backup"].choices = names  # type: ignore[attr-defined]  # a ChoiceField, as above


@require_GET
def backup_list(request: auth.SignedInRequest) -> HttpResponse:
    auth.require_staff(request.user, FOR_STAFF)
    return render(request, "backups/list.html", backup_list_context(timezone.now()))


@require_POST
def backup_make(request: auth.SignedInRequest) -> HttpResponse:
    auth.require_staff(request.user, FOR_STAFF)
    run = backups.make(
        trigger=Trigger.MANUAL,
        by=request.user.get_username(),
        now=timezone.now(),
        logs="logs" in request.POST,
    )
    return redirect("run-detail", run.pk)


@require_POST
def backup_verify(request: auth.SignedInRequest, name: str) -> HttpResponse:
    auth.require_staff(request.user, FOR_STAFF)
    by = request.user.get_username()
    return _go_to(
        request,
        lambda: backups.verify(
            name, trigger=Trigger.MANUAL, by=by, now=timezone.now(), is_full=True
        ),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("passphrase")
def backup_restore(request: auth.SignedInRequest, name: str) -> HttpResponse:
    """Say what would take the place of what; with a POST, do it."""
    auth.require_staff(request.user, FOR_STAFF)
    row = _row(name)
    form = RestoreForm(request.POST or None)
    if not form.is_valid():
        counts = {
            "scripts": Script.objects.count(),  # all, as a backup counts its own
            "runs": Run.objects.count(),
        }
        context = {"row": row, "form": form, "now": timezone.now(), **counts}
        context["other_machine"] = restoring.other_machine(row.facts)
        return render(request, "backups/restore.html", context)
    by, passphrase = request.user.get_username(), form.cleaned_data["passphrase"]
    return _go_to(
        request,
        lambda: backups.restore(name, passphrase=passphrase, by=by, now=timezone.now()),
    )


@require_GET
def backup_download(request: auth.SignedInRequest, name: str) -> StreamingHttpResponse:
    auth.require_staff(request.user, FOR_STAFF)
    row = _row(name)
    return downloads.attachment_of(row.path)


@require_POST
def backup_resume(request: auth.SignedInRequest) -> HttpResponse:
    """End the hold of a restored Tempo."""
    auth.require_staff(request.user, "Only staff may resume a restored Tempo.")
    if holds.release():
        messages.success(request, RESUMED)
    return redirect("dashboard")


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("passphrase")
def setup_backup(request: HttpRequest, token: str) -> HttpResponse:
    """Start from a backup that lies in the data folder, in place of the set-up."""
    if request.method == "POST":
        rate_limits.require(rate_limits.SET_UP, rate_limits.address_of(request))
    if not first_start.is_open_for(token):
        raise Http404(SETUP_OVER)
    form = SetupBackupForm(request.POST or None, initial={"backup": request.GET.get("backup")})
    context: dict[str, Any] = {"form": form, "token": token, "folder": paths.backups()}
    context["has_backups"] = bool(form.fields["backup"].choices)  # type: ignore[attr-defined]
    if form.is_valid():
        try:
            context["run"] = backups.restore(
                form.cleaned_data["backup"],
                passphrase=form.cleaned_data["passphrase"],
                by="set-up",
                now=timezone.now(),
            )
        except (NoSuchBackup, BackupFailed) as error:
            form.add_error("backup", str(error))
    return render(request, "backups/setup.html", context)


def backup_list_context(now: datetime) -> dict[str, Any]:
    rows: list[BackupFile] = backup_files.listed()
    has_passphrase = bool(store.encrypted(section.PASSPHRASE)) or bool(_given_passphrase())
    return {
        "rows": rows,
        "total": sum(row.size for row in rows),
        "next_at": nightly_backup.next_moment(now),
        "good": backup_files.newest_good(),
        "tried": backups.last(backup.MAKE),
        "active": backups.active(),
        "trouble": nightly_backup.why_bad(now),
        "has_passphrase": has_passphrase,
        "secrets": Variable.objects.filter(is_secret=True).count(),
        "places": [
            place for place in map(store.value, (section.SECOND_PLACE, section.REMOTE)) if place
        ],
        "folder": paths.backups(),
        "now": now,
    }


def _given_passphrase() -> str:
    # Of the environment: a stored one would have to be decrypted.
    try:
        return "" if store.encrypted(section.PASSPHRASE) else str(store.value(section.PASSPHRASE))
    except encryption.DecryptionError:
        return ""


def _go_to(request: auth.SignedInRequest, start: Callable[[], Run]) -> HttpResponse:
    try:
        run = start()
    except (NoSuchBackup, BackupFailed) as error:
        messages.error(request, str(error))
        return redirect("backup-list")
    return redirect("run-detail", run.pk)


def _row(name: str) -> BackupFile:
    try:
        return backup_files.named(name)
    except NoSuchBackup as error:
        raise Http404(str(error)) from error
