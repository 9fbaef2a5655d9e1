"""Variables of a script and variables for all scripts: the same list and form for both."""

from collections.abc import Callable
from datetime import datetime
from typing import TypedDict

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from scripts_app import forms, lookup
from scripts_app.forms import VariableForm
from scripts_app.models import Script, Variable
from scripts_app.variables import variables
from tempo_site import auth

View = Callable[..., HttpResponse]


class VariablesContext(TypedDict):
    now: datetime
    form: VariableForm
    edited: Variable | None
    to_delete: Variable | None
    rows: list[tuple[Variable, bool]]
    most: int
    shortest_masked: int


def form_page(view: View) -> View:
    return require_http_methods(["GET", "HEAD", "POST"])(sensitive_post_parameters("value")(view))


@form_page
def script_variables(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    now = timezone.now()
    script = lookup.script_for_page(slug, now=now)
    context = variables_context(request, script, now=now)
    if context is None:
        return redirect("script-variables", slug)
    beside = {"script": script, "inherited": variables.inherited(script)}
    return render(request, "scripts/variables.html", {**context, **beside})


@form_page
def variables_for_all(request: auth.SignedInRequest) -> HttpResponse:
    auth.require_staff(request.user, variables.ONLY_STAFF_SET_VARIABLES)
    context = variables_context(request, None, now=timezone.now())
    if context is None:
        return redirect("variables")
    return render(request, "scripts/variables_for_all.html", context)


@sensitive_variables()
def variables_context(
    request: auth.SignedInRequest, script: Script | None, *, now: datetime
) -> VariablesContext | None:
    edited = variable_named(script, request.GET.get("edit", ""))
    initial = VariableForm.values_of(edited) if edited else None
    form = VariableForm(request.POST or None, initial=initial)
    if request.method == "POST" and act(request, script, form):
        return None
    if form.is_bound and form.data.get("is_secret"):
        form.forget_value()
    rows = [(row, variables.is_readable(row)) for row in variables.variables_of(script)]
    return {
        "now": now,
        "form": form,
        "edited": edited,
        "to_delete": variable_named(script, request.GET.get("delete", "")),
        "rows": rows,
        "most": variables.MAX_VARIABLES,
        "shortest_masked": variables.MIN_MASKED,
    }


@sensitive_variables()
def act(request: auth.SignedInRequest, script: Script | None, form: VariableForm) -> bool:
    if request.POST.get("act") == "delete":
        delete(request, script, request.POST.get("name", ""))
        return True
    if not form.is_valid():
        return False
    by, values = request.user.get_username(), form.cleaned_data
    saved = forms.attempt(form, lambda: variables.save(script, by=by, **values))
    if saved is None:
        return False
    messages.success(request, f"`{values['name']}` is saved: runs that start from now on have it.")
    return True


def delete(request: HttpRequest, script: Script | None, name: str) -> None:
    if variables.remove(script, name):
        messages.success(request, f"`{name}` is deleted.")
    else:
        messages.info(request, f"There was no `{name[:100]}` any more.")


def variable_named(script: Script | None, name: str) -> Variable | None:
    if not name:
        return None
    return variables.variables_of(script).filter(name=name).first()
