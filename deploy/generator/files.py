"""Which files are made, and the facts that they are made from."""

import tomllib
from pathlib import Path
from typing import Any

from deploy.generator import compose, portainer, units, unraid

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy"
COMPOSE_MACHINES = ("synology", "truenas", "qnap")

Facts = dict[str, Any]


def facts() -> Facts:
    return tomllib.loads((FOLDER / "tempo.toml").read_text())


def made() -> dict[Path, str]:
    """Return the text of each file."""
    common = facts()
    texts = {
        ROOT / "compose.yaml": compose.plain(common),
        ROOT / "compose.dev.yaml": compose.development(common),
        FOLDER / "unraid" / "tempo.xml": unraid.template(common),
        FOLDER / "portainer" / "templates.json": portainer.templates(common),
        FOLDER / "podman" / "tempo.container": units.quadlet(common),
        FOLDER / "systemd" / "tempo.service": units.unit(common),
    }
    for name in COMPOSE_MACHINES:
        texts[FOLDER / name / "compose.yaml"] = compose.for_machine(common, name)
    return texts
