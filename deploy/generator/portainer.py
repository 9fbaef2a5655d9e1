"""The list of app templates that Portainer reads, in its version 3."""

import json
from typing import Any


def templates(facts: dict[str, Any]) -> str:
    variables = [
        {"name": "TZ", "label": "Time zone", "default": "Etc/UTC"},
        {"name": "PUID", "label": "Number of the user whose the data is", "default": "1000"},
        {"name": "PGID", "label": "Number of that user's group", "default": "1000"},
    ]
    template = {
        "id": 1,
        "type": 1,
        "title": facts["name"],
        "name": "tempo",
        "description": facts["description"],
        "categories": ["automation"],
        "platform": "linux",
        "logo": f"{facts['home']}/deploy/unraid/tempo.png",
        "image": facts["image"],
        "ports": [f"{facts['port']}:{facts['port']}/tcp"],
        "volumes": [{"container": facts["data"]}],
        "env": variables,
        "restart_policy": "unless-stopped",
    }
    return json.dumps({"version": "3", "templates": [template]}, indent=2) + "\n"
