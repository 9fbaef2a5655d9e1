"""A backup that is sent from a browser, piece by piece: on the page Backups, and on the set-up page."""

from typing import Any

from django import forms
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from tempo_site import auth
from tempo_site.accounts import rate_limits
from tempo_site.audit import trail
from tempo_site.backups import uploads
from tempo_site.backups.uploads import OtherOffset, UploadPiece, UploadRefused
from tempo_site.bootstrap import first_start

SETUP_OVER = "Tempo is set up already."
FOR_STAFF = "Only staff may send backups."
ANOTHER_FORM = "The request is not as the page sends it."


class PieceForm(forms.Form):
    """What the address of a request says of the piece that is its body."""

    name = forms.CharField(max_length=1000)
    size = forms.IntegerField(min_value=1)
    offset = forms.IntegerField(min_value=0)


@require_POST
def backup_upload(request: auth.SignedInRequest) -> JsonResponse:
    auth.require_staff(request.user, FOR_STAFF)
    return _take(request)


@login_not_required
@never_cache
@require_POST
def setup_backup_upload(request: HttpRequest, token: str) -> JsonResponse:
    """Take a piece from whoever has the address of the set-up; guesses are counted, pieces are not."""
    if not first_start.is_open_for(token):
        rate_limits.require(rate_limits.SET_UP, rate_limits.address_of(request))
        raise Http404(SETUP_OVER)
    return _take(request)


def _take(request: HttpRequest) -> JsonResponse:
    form = PieceForm(request.GET)
    if not form.is_valid():
        return _refused(ANOTHER_FORM, status=400)
    piece = UploadPiece(**form.cleaned_data, content=request.body)
    try:
        name = uploads.take(piece, now=timezone.now())
    except OtherOffset as other:
        return JsonResponse({"received": other.received}, status=409)
    except UploadRefused as refusal:
        return _refused(str(refusal), status=400)
    except OSError as error:
        return _refused(f"It could not be stored: {error.strerror}.", status=507)
    if name:
        trail.record("uploaded", kind="backups", name=name)
    return JsonResponse({"received": piece.end, "name": name})


def _refused(sentence: str, *, status: int) -> JsonResponse:
    answer: dict[str, Any] = {"error": sentence}
    return JsonResponse(answer, status=status)
