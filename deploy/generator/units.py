"""Units of systemd: a quadlet, which Podman makes a service of, and a service without any container."""

from typing import Any

QUADLET = """\
# As root: copy it to /etc/containers/systemd/, then `systemctl daemon-reload` and `systemctl start tempo`.
[Unit]
Description={name}: {description}
Wants=network-online.target
After=network-online.target

[Container]
Image=localhost/{image}
ContainerName=tempo
PublishPort={port}:{port}
Volume=tempo-data:{data}
Environment=TZ=Etc/UTC
ReadOnly=true
Tmpfs=/tmp
NoNewPrivileges=true
DropCapability=all
AddCapability={capabilities}
PodmanArgs=--stop-timeout={stop_s}

[Service]
Restart=always
TimeoutStartSec=120
TimeoutStopSec={service_stop_s}

[Install]
WantedBy=multi-user.target
"""
UNIT = """\
# Tempo without a container, in /opt/tempo and set up there by `make setup`; its data is in /var/lib/tempo.
# useradd --system tempo; copy this to /etc/systemd/system/; systemctl enable --now tempo
[Unit]
Description={name}: {description}
Wants=network-online.target
After=network-online.target

[Service]
User=tempo
StateDirectory=tempo
StateDirectoryMode=0700
WorkingDirectory=/opt/tempo
Environment=PYSCHED_DATA_PATH=/var/lib/tempo
ExecStart=/opt/tempo/.venv/bin/python manage.py serve --host 127.0.0.1 --port {port}
Restart=on-failure
KillMode=mixed
TimeoutStopSec={service_stop_s}
NoNewPrivileges=true
ProtectSystem=full

[Install]
WantedBy=multi-user.target
"""


def quadlet(facts: dict[str, Any]) -> str:
    capabilities = " ".join(facts["capabilities"])
    return QUADLET.format_map({**_facts(facts), "capabilities": capabilities})


def unit(facts: dict[str, Any]) -> str:
    return UNIT.format_map(_facts(facts))


def _facts(facts: dict[str, Any]) -> dict[str, Any]:
    return {**facts, "service_stop_s": facts["stop_s"] + 15}
