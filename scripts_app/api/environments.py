"""REST operations on environments: content and progress, building anew, newer packages."""

from datetime import datetime

from django.http import Http404, HttpRequest
from ninja.responses import Status
from pydantic import BaseModel

from runs_app.models import Run
from runs_app.triggers import builds
from scripts_app import lookup
from scripts_app.api.common import router
from scripts_app.environments import disk_usage, environments, upgrades
from scripts_app.environments.builds import BuildProgress
from scripts_app.models import Environment, Script
from scripts_app.packages import locks
from scripts_app.packages.locks import Change
from tempo_site import auth
from tempo_site.web.api_types import Cursor, Limit, cursor_after, number_of

NOT_BUILDING = BuildProgress(step="", done=0, total=0)


class PackageOut(BaseModel):
    """A package of a lock; `hashes`: how many files of the package are allowed."""

    name: str
    version: str
    hashes: int


class ChangeOut(BaseModel):
    """The effect of an upgrade on a package: `added`, `removed` or `changed`."""

    name: str
    kind: str
    before: str
    after: str


class EnvironmentFacts(BaseModel):
    """An environment. During a build `step` is the current step: `done` of `total` packages (compiling: files)."""

    id: int
    state: str
    step: str
    done: int
    total: int
    python: str
    requirements: str
    allows_source: bool
    generation: int
    message: str
    packages: list[PackageOut]
    lock: str
    size_bytes: int | None
    fault: str
    checked_at: datetime | None
    build_run: int | None
    created_at: datetime
    ready_at: datetime | None


class DiskUseOut(BaseModel):
    """Bytes on the disk, hard links counted once; null before the first measure. `shared` is the part of `environments`
    that several environments, or an environment and the cache, have in common. `cache` is the rest of the cache.
    """

    measured_at: datetime | None
    total: int | None
    environments: int | None
    shared: int | None
    cache: int | None
    pythons: int | None


class UpgradeOut(BaseModel):
    """Newer packages that are not used yet; `changes` is empty before the build, and when no package is newer."""

    environment: EnvironmentFacts
    changes: list[ChangeOut]


class EnvironmentPage(BaseModel):
    """Environments by id."""

    items: list[EnvironmentFacts]
    next_cursor: str | None


@router.get("/environments", response=EnvironmentPage, tags=["environments"])
def list_environments(request: HttpRequest, limit: Limit, cursor: Cursor) -> EnvironmentPage:
    """List environments by id."""
    rows = list(
        Environment.objects.filter(pk__gt=number_of(cursor) or 0).order_by("pk")[: limit + 1]
    )
    found = builds.runs_of(rows[:limit])
    return EnvironmentPage.model_construct(
        items=[environment_facts(row, found.get(row.pk)) for row in rows[:limit]],
        next_cursor=cursor_after(rows, limit),
    )


@router.get("/environments/disk-use", response=DiskUseOut, tags=["environments"])
def read_disk_use(request: HttpRequest) -> DiskUseOut:
    """Show how much the environments, uv's cache and the installed Pythons take on the disk."""
    measured = disk_usage.read()
    if measured is None:
        return DiskUseOut.model_construct(**dict.fromkeys(DiskUseOut.model_fields))
    return DiskUseOut.model_construct(
        measured_at=measured.measured_at,
        total=measured.total,
        environments=measured.of_environments,
        shared=measured.shared,
        cache=measured.cache,
        pythons=measured.pythons,
    )


@router.get("/environments/{int:environment_id}", response=EnvironmentFacts, tags=["environments"])
def read_environment(request: HttpRequest, environment_id: int) -> EnvironmentFacts:
    """Show an environment with packages, lock and the progress of the build."""
    return newest_facts(lookup.environment(environment_id))


@router.post(
    "/environments/{int:environment_id}/rebuild",
    response={202: EnvironmentFacts},
    tags=["environments"],
)
def rebuild_environment(
    request: auth.AuthenticatedRequest, environment_id: int
) -> Status[EnvironmentFacts]:
    """Have an environment built anew with the packages of the lock; after a failure the old files stay in use."""
    return Status(202, newest_facts(environments.renew(lookup.environment(environment_id))))


@router.get("/scripts/{slug:slug}/environment/upgrade", response=UpgradeOut, tags=["environments"])
def read_upgrade(request: HttpRequest, slug: str) -> UpgradeOut:
    """Show the newer packages that wait to be used."""
    return upgrade_out(lookup.script(slug))


@router.post(
    "/scripts/{slug:slug}/environment/upgrade", response={202: UpgradeOut}, tags=["environments"]
)
def ask_for_upgrade(request: auth.AuthenticatedRequest, slug: str) -> Status[UpgradeOut]:
    """Have the newest packages that the requirements allow built. They are not used until you say so."""
    script = lookup.script(slug)
    upgrades.request(script)
    return Status(202, upgrade_out(script))


@router.post(
    "/scripts/{slug:slug}/environment/upgrade/use", response=EnvironmentFacts, tags=["environments"]
)
def use_upgrade(request: auth.AuthenticatedRequest, slug: str) -> EnvironmentFacts:
    """Run the script with the newer packages from now on."""
    return newest_facts(upgrades.use(lookup.script(slug)))


@router.delete(
    "/scripts/{slug:slug}/environment/upgrade", response={204: None}, tags=["environments"]
)
def discard_upgrade(request: auth.AuthenticatedRequest, slug: str) -> Status[None]:
    """Forget the newer packages; the script keeps the packages in use."""
    upgrades.discard(lookup.script(slug))
    return Status(204, None)


def upgrade_out(script: Script) -> UpgradeOut:
    """Return a script's upgrade. Raises Http404 for a script without an upgrade."""
    stored = Script.objects.select_related("upgrade", "environment").get(pk=script.pk)
    if stored.upgrade is None:
        raise Http404("There is no upgrade to look at.")
    changes = [change_out(change) for change in upgrades.changes_of(stored)]
    return UpgradeOut.model_construct(environment=newest_facts(stored.upgrade), changes=changes)


def change_out(change: Change) -> ChangeOut:
    return ChangeOut.model_construct(
        name=change.name, kind=change.kind, before=change.before, after=change.after
    )


def newest_facts(environment: Environment) -> EnvironmentFacts:
    return environment_facts(environment, builds.run_of(environment))


def environment_facts(environment: Environment, run: Run | None) -> EnvironmentFacts:
    progress = builds.progress_of(run) or NOT_BUILDING
    packages = [
        PackageOut.model_construct(
            name=package.name, version=package.version, hashes=package.hashes
        )
        for package in locks.packages(environment.lock)
    ]
    return EnvironmentFacts.model_construct(
        id=environment.pk,
        state=environment.state,
        step=progress.step,
        done=progress.done,
        total=progress.total,
        python=environment.python,
        requirements=environment.requirements,
        allows_source=environment.allows_source,
        generation=environment.generation,
        message=environment.message,
        packages=packages,
        lock=environment.lock,
        size_bytes=environment.size_bytes,
        fault=environment.fault,
        checked_at=environment.checked_at,
        build_run=run.pk if run else None,
        created_at=environment.created_at,
        ready_at=environment.ready_at,
    )
