"""The files for other people's machines: made of one file, up to date, and what their readers ask for."""

import configparser
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from deploy.generator import files
from runs_app.launcher.identity import users
from tests.rows import each_row

COMPOSE_FILES = [path for path in files.made() if path.name == "compose.yaml"]
# What Compose 2.20 knows; 1.29.2 too, which Debian 12 has.
KNOWN_KEYS = {
    *("build", "image", "container_name", "environment", "ports", "volumes", "tmpfs", "read_only"),
    *("cap_add", "cap_drop", "security_opt", "restart", "stop_grace_period"),
}


def service_of(path: Path) -> dict[str, Any]:
    """The one service of a compose file."""
    (service,) = yaml.safe_load(path.read_text())["services"].values()
    return dict(service)


@each_row("path", files.made())
def test_a_file_is_what_the_generator_makes(path: Path) -> None:
    assert path.read_text() == files.made()[path], "hint: run `python -m deploy.generator`"


def test_the_capabilities_are_those_that_the_launcher_asks_for() -> None:
    assert set(files.facts()["capabilities"]) == set(users._NEEDED.values())


@each_row("path", COMPOSE_FILES)
def test_a_compose_file_is_closed_and_old_enough_to_be_read(path: Path) -> None:
    service = service_of(path)
    assert set(service) <= KNOWN_KEYS
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert service["cap_add"] == files.facts()["capabilities"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", files.COMPOSE_MACHINES)
def test_a_nas_gets_its_own_user_and_folder(name: str) -> None:
    machine = files.facts()["machines"][name]
    service = service_of(files.FOLDER / name / "compose.yaml")
    assert {f"PUID={machine['puid']}", f"PGID={machine['pgid']}"} < set(service["environment"])
    assert service["volumes"] == [f"{machine['folder']}:/data"]


def test_developers_see_their_edits() -> None:
    service = service_of(files.ROOT / "compose.dev.yaml")
    synced = {rule["path"] for rule in service["develop"]["watch"] if rule["action"] == "sync"}
    copied = re.findall(r"^COPY (\w+)/ ", (files.ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert synced == set(copied)
    assert "--reload" in service["command"]
    assert any(line.startswith("PYTHONPYCACHEPREFIX=") for line in service["environment"])


def test_the_template_of_unraid_has_what_its_store_asks_for() -> None:
    root = ElementTree.parse(files.FOLDER / "unraid" / "tempo.xml").getroot()
    asked = (
        "Name",
        "Repository",
        "TemplateURL",
        "Icon",
        "WebUI",
        "Overview",
        "Category",
        "Support",
    )
    assert [name for name in asked if not root.findtext(name)] == []
    entries = {entry.get("Target"): entry for entry in root.iter("Config")}
    assert set(entries) == {"8000", "/data", "PUID", "PGID"}  # Unraid gives TZ by itself
    assert (entries["PUID"].text, entries["PGID"].text) == ("99", "100")
    assert all(entry.text == entry.get("Default") for entry in entries.values())
    assert (files.FOLDER / "unraid" / "tempo.png").read_bytes().startswith(b"\x89PNG")


def test_the_template_of_portainer_is_of_version_3() -> None:
    content = json.loads((files.FOLDER / "portainer" / "templates.json").read_text())
    (template,) = content["templates"]
    asked = {"id", "type", "title", "description", "image", "platform", "categories", "logo"}
    assert content["version"] == "3" and asked <= set(template)
    assert template["volumes"] == [{"container": "/data"}]


@pytest.mark.parametrize("name", ["podman/tempo.container", "systemd/tempo.service"])
def test_a_unit_waits_as_long_as_runs_may_take_to_end(name: str) -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(files.FOLDER / name)
    assert int(unit["Service"]["TimeoutStopSec"]) > files.facts()["stop_s"]
    assert unit["Install"]["WantedBy"] == "multi-user.target"
