"""REST operations on a text that need not be stored anywhere: its problems, and its usual form."""

from django.http import HttpRequest
from pydantic import BaseModel, ConfigDict

from scripts_app.api.common import router
from scripts_app.diagnostics import check, formatting
from scripts_app.diagnostics.models import Problem
from tempo_site.accounts import rate_limits


class CheckIn(BaseModel):
    """A text to be looked at; `python_version` as in a script, empty: Tempo's own."""

    model_config = ConfigDict(extra="forbid")

    code: str
    requirements: str = ""
    python_version: str = ""


class CheckOut(BaseModel):
    """The problems of the text, at most 200; `severity` is `error`, `security` or `warning`."""

    problems: list[Problem]


class FormatIn(BaseModel):
    """A code to be formatted; `python_version` as in a script, empty: Tempo's own."""

    model_config = ConfigDict(extra="forbid")

    code: str
    python_version: str = ""


class FormatOut(BaseModel):
    """The code in its usual form."""

    code: str


# Not below /scripts/: a script may be called "check".
@router.post("/check", response=CheckOut, tags=["drafts"])
def check_text(request: HttpRequest, data: CheckIn) -> CheckOut:
    """Look for problems in a code without a run: syntax, names, doors left open, secrets, requirements."""
    rate_limits.require(rate_limits.PREVIEW, rate_limits.address_of(request))
    found = check.find_problems(
        code=with_plain_line_ends(data.code),
        requirements=with_plain_line_ends(data.requirements),
        python_version=data.python_version,
    )
    return CheckOut.model_construct(problems=found)


@router.post("/format", response=FormatOut, tags=["drafts"])
def format_text(request: HttpRequest, data: FormatIn) -> FormatOut:
    """Format a code as the editor does (`ruff format`): the code does the same, nothing is stored."""
    rate_limits.require(rate_limits.PREVIEW, rate_limits.address_of(request))
    code = with_plain_line_ends(data.code)
    return FormatOut.model_construct(
        code=formatting.format_code(code, python_version=data.python_version)
    )


def with_plain_line_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
