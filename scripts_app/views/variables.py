"""Variables of a script, and those for all scripts: one list, one form, for both."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
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


def form_page(view: View) -> View:
    """A page with a form whose value appears in no report of an error."""
    return require_http_methods(["GET", "HEAD", "POST"])(sensitive_post_parameters("value")(view))


@form_page
def script_variables(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    """The variables of a script."""
    script = lookup.script(slug)
    beside = {"script": script, "inherited": variables.inherited(script)}
    return page(request, script, "scripts/variables.html", beside)


@form_page
def variables_for_all(request: auth.SignedInRequest) -> HttpResponse:
    """The variables for all scripts: for staff."""
    if not request.user.is_staff:
        raise PermissionDenied(
            "Variables for all scripts are set by staff.\nhint: set one of the script"
        )
    return page(request, None, "scripts/variables_for_all.html", {})


@sensitive_variables()
def page(
    request: auth.SignedInRequest, script: Script | None, template: str, beside: dict[str, Any]
) -> HttpResponse:
    """List and form; `?edit=NAME` fills the form, `?delete=NAME` asks. A POST saves, or with `act=delete` deletes."""
    if request.method == "POST" and request.POST.get("act") == "delete":
        return delete(request, script)
    edited, to_delete = (named(script, request.GET.get(act, "")) for act in ("edit", "delete"))
    form = VariableForm(
        request.POST or None, initial=VariableForm.values_of(edited) if edited else None
    )
    if form.is_valid():
        by, values = request.user.get_username(), form.cleaned_data
        if forms.attempt(form, lambda: variables.save(script, by=by, **values)):
            return done(
                request,
                script,
                f"`{values['name']}` is saved: runs that start from now on have it.",
            )
    if form.is_bound and form.data.get("is_secret"):
        form.forget_value()
    rows = [(row, variables.is_readable(row)) for row in variables.variables_of(script)]
    context = {
        "now": timezone.now(),
        "form": form,
        "edited": edited,
        "to_delete": to_delete,
        "rows": rows,
        **limits(),
        **beside,
    }
    return render(request, template, context)


def named(script: Script | None, name: str) -> Variable | None:
    """The variable of this name, if there is one."""
    return variables.variables_of(script).filter(name=name).first() if name else None


def limits() -> dict[str, int]:
    """What the page tells of the rules."""
    return {"most": variables.MAX_VARIABLES, "shortest_masked": variables.MIN_MASKED}


def delete(request: HttpRequest, script: Script | None) -> HttpResponse:
    """Delete one by its name."""
    name = request.POST.get("name", "")
    if variables.remove(script, name):
        return done(request, script, f"`{name}` is deleted.")
    messages.info(request, f"There was no `{name[:100]}` any more.")
    return back(script)


def done(request: HttpRequest, script: Script | None, sentence: str) -> HttpResponse:
    """Say it, and show the list."""
    messages.success(request, sentence)
    return back(script)


def back(script: Script | None) -> HttpResponse:
    """To the list."""
    return redirect("script-variables", script.slug) if script else redirect("variables")
