"""REST operation that looks at a text which need not be stored anywhere."""

from django.http import HttpRequest
from pydantic import BaseModel, ConfigDict

from scripts_app.api.common import router
from scripts_app.diagnostics import check
from scripts_app.diagnostics.models import Problem


class CheckIn(BaseModel):
    """A text to be looked at; `python_version` as a script has it, empty: Tempo's own."""

    model_config = ConfigDict(extra="forbid")

    code: str
    requirements: str = ""
    python_version: str = ""


class CheckOut(BaseModel):
    """What is wrong with it, at most 200 problems; `severity` is `error`, `security` or `warning`."""

    problems: list[Problem]


# not below /scripts/: a script may be called "check"
@router.post("/check", response=CheckOut, tags=["drafts"])
def check_text(request: HttpRequest, data: CheckIn) -> CheckOut:
    """Look for problems in a code without running it: syntax, names, doors left open, secrets, requirements."""
    code, requirements = (
        text.replace("\r\n", "\n").replace("\r", "\n") for text in (data.code, data.requirements)
    )
    found = check.find_problems(
        code=code, requirements=requirements, python_version=data.python_version
    )
    return CheckOut.model_construct(problems=found)
