"""Variables of a run: plain ones in its spec, secrets in the order to start alone."""

import json
from typing import Any

import pytest
from django.conf import LazySettings as Settings
from django.utils import timezone

from runs_app import launcher_client
from runs_app.execution import execution
from runs_app.execution import spec as execution_spec
from runs_app.models import Run
from runs_app.states import Kind, Reason, Status
from scripts_app.models import Environment
from scripts_app.variables import variables
from tempo_site.lib import paths
from tests.factories import make_run, make_script

pytestmark = pytest.mark.django_db


class Ear:
    """A launcher that only listens: folders, and the secrets that come with them."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, dict[str, str]]] = []

    def start(self, folder: str, *, secrets: dict[str, str]) -> int:
        """Take an order."""
        self.heard.append((folder, secrets))
        return 1


def waiting_run(**fields: Any) -> Run:
    """A run that is about to be handed over."""
    script = make_script()
    return make_run(
        script,
        environment=script.environment,
        status=Status.STARTING,
        folder="2026-11/1-abcdef12",
        **fields,
    )


def test_variables_are_in_the_spec_and_secrets_only_in_the_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    run = waiting_run()
    variables.save(None, name="TZ", value="Asia/Tokyo", by="ann")
    variables.save(run.script, name="TOKEN", value="s3cr3t", is_secret=True, by="ann")
    monkeypatch.setattr(launcher_client, "launcher", ear := Ear())
    assert execution.hand_over(run, now=timezone.now())
    spec = (paths.run_folder(run.folder) / "spec.json").read_text()
    assert json.loads(spec)["env"]["TZ"] == "Asia/Tokyo"
    assert ear.heard == [(run.folder, {"TOKEN": "s3cr3t"})]
    assert "s3cr3t" not in spec and "TOKEN" not in spec


def test_handing_over_again_sends_the_secrets_again(monkeypatch: pytest.MonkeyPatch) -> None:
    run = waiting_run()
    variables.save(run.script, name="TOKEN", value="s3cr3t", is_secret=True, by="ann")
    monkeypatch.setattr(launcher_client, "launcher", ear := Ear())
    for _ in range(2):
        execution.hand_over(run, now=timezone.now())
    assert ear.heard == [(run.folder, {"TOKEN": "s3cr3t"})] * 2


def test_a_run_whose_secret_cannot_be_decrypted_does_not_start_and_names_it(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    run = waiting_run()
    variables.save(run.script, name="TOKEN", value="s3cr3t", is_secret=True, by="ann")
    settings.SECRET_KEY = "another key, as long as keys have to be"
    monkeypatch.setattr(launcher_client, "launcher", ear := Ear())
    assert not execution.hand_over(run, now=timezone.now())
    run.refresh_from_db()
    assert (run.status, run.reason, ear.heard) == (Status.FAILED, Reason.COULD_NOT_START, [])
    assert "`TOKEN` of this script could not be decrypted" in run.message


def test_a_build_gets_no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    variables.save(None, name="TOKEN", value="s3cr3t", is_secret=True, by="ann")
    environment = Environment.objects.create(python="3.12", requirements="")
    run = make_run(
        kind=Kind.BUILD,
        environment=environment,
        status=Status.STARTING,
        folder="2026-11/2-abcdef12",
    )
    monkeypatch.setattr(launcher_client, "launcher", ear := Ear())
    monkeypatch.setattr(execution_spec, "write_spec", lambda *_: {})
    execution.hand_over(run, now=timezone.now())
    assert ear.heard == [(run.folder, {})]
