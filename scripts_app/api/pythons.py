"""REST operations on the Pythons of this machine: listing, installing, moving scripts to another Python."""

from django.utils import timezone
from ninja.responses import Status
from pydantic import BaseModel, ConfigDict, Field

from runs_app.triggers import builds
from scripts_app import pythons
from scripts_app.api.common import router
from tempo_site import auth


class PythonOut(BaseModel):
    """A Python. `scripts`: the number of users.

    `state`: `ok`, `broken` (no answer), `gone` (scripts miss it), `other` (PyPy and the like, on which no script runs),
    `unused` (a place of PYSCHED_PYTHON_PATHS without a Python).
    """

    version: str
    path: str
    state: str
    origin: str
    scripts: int


class PythonPage(BaseModel):
    """All Pythons, newest first."""

    items: list[PythonOut]
    next_cursor: str | None


class PythonIn(BaseModel):
    """The Python to install: `3.12` (the newest release) or `3.12.1`."""

    model_config = ConfigDict(extra="forbid")

    version: str = Field(max_length=20)


class InstallationOut(BaseModel):
    """The run of the installation."""

    run: int
    version: str


class MoveIn(BaseModel):
    """From a Python (path or full version) to another (as a script may ask for a Python; "" = Tempo's own)."""

    model_config = ConfigDict(extra="forbid")

    source: str = Field(alias="from", min_length=1, max_length=500)
    target: str = Field(alias="to", max_length=20)


class RefusedOut(BaseModel):
    """A script that was not moved, and why."""

    slug: str
    message: str


class MovedOut(BaseModel):
    """The slugs of the scripts that have the other Python now."""

    moved: list[str]
    refused: list[RefusedOut]


@router.get("/pythons", response=PythonPage, tags=["environments"])
def list_pythons(request: auth.AuthenticatedRequest) -> PythonPage:
    """List the Pythons of this machine from 3.8 to 3.14, and Pythons that scripts miss."""
    items = [PythonOut.model_construct(**vars(python)) for python in pythons.listing()]
    return PythonPage.model_construct(items=items, next_cursor=None)


@router.post("/pythons", response={202: InstallationOut}, tags=["environments"])
def install_python(request: auth.AuthenticatedRequest, data: PythonIn) -> Status[InstallationOut]:
    """Install another Python from the internet, for all scripts; the output of the run tells the progress."""
    auth.require_staff(request.auth)
    run = builds.install_python(data.version, by=request.auth.name, now=timezone.now())
    return Status(202, InstallationOut.model_construct(run=run.pk, version=run.params["python"]))


@router.post("/pythons/move", response=MovedOut, tags=["environments"])
def move_scripts(request: auth.AuthenticatedRequest, data: MoveIn) -> MovedOut:
    """Have all scripts of a Python use another Python; each script gets a new version that says so."""
    auth.require_staff(request.auth)
    outcome = pythons.move(
        source=data.source, target=data.target, by=request.auth.user, now=timezone.now()
    )
    refused = []
    for script, why in outcome.refused:
        refused.append(RefusedOut.model_construct(slug=script.slug, message=why))
    moved = [script.slug for script in outcome.done]
    return MovedOut.model_construct(moved=moved, refused=refused)
