"""Compose files: the plain one, the one for developers, and those of NAS makers. Nothing in them is newer than 2.20."""

from typing import Any

PLAIN = """\
# docker compose up -d   (more: docs/docker.md)
services:
  {service}:
    build: .
    image: {image}
    ports:
      - "{port}:{port}"
    environment:
      - PYSCHED_DATA_PATH={data}
      # These two are samples, which Tempo ignores and says so: it makes its own secret, and there is no key until you
      # make one. Put in 32 random characters or more, or delete the lines.
      - PYSCHED_SECRET_KEY=your-secret-key
      - PYSCHED_DEFAULT_API_KEY=your-api-key
      - PYSCHED_RATE_LIMIT_ENABLED=true
      # - TZ=Europe/Berlin
      # - PUID=1000
      # - PGID=1000
      # - PYSCHED_EXTRA_WRITE_PATHS=/mnt/share
    volumes:
      - pysched_data:{data}
      # - /srv/share:/mnt/share
    restart: unless-stopped
    stop_grace_period: {stop_s}s # runs get PYSCHED_SHUTDOWN_GRACE seconds to end by themselves
{hardening}
volumes:
  pysched_data:
"""
MACHINE = """\
# {title}
services:
  {service}:
    image: {image}
    container_name: tempo
    ports:
      - "{port}:{port}"
    environment:
      - PUID={puid}
      - PGID={pgid}
      - TZ=Etc/UTC # yours, such as Europe/Berlin
      # - PYSCHED_EXTRA_WRITE_PATHS=/mnt/share
    volumes:
      - {folder}:{data}
      # - {share}:/mnt/share
    restart: unless-stopped
    stop_grace_period: {stop_s}s
{hardening}"""
# What the container may not do. Each line can be taken out; a run's page says what that costs.
HARDENING = """\
    read_only: true
    tmpfs:
      - /tmp
    cap_drop:
      - ALL
    cap_add:
{capabilities}
    security_opt:
      - no-new-privileges:true
"""
DEVELOPMENT = """\
# docker compose -f compose.yaml -f compose.dev.yaml up --build --watch   (Compose 2.25 or newer)
services:
  {service}:
    command: ["--host", "0.0.0.0", "--port", "{port}", "--reload"]
    read_only: false
    environment:
      - PYSCHED_DEBUG=true
      # The image's byte code is never compared with its source.
      - PYTHONPYCACHEPREFIX=/tmp/byte-code
    develop:
      watch:
{watched}
        - action: rebuild
          path: requirements.txt
        - action: rebuild
          path: Dockerfile
"""
SYNCED = """\
        - action: sync
          path: {folder}
          target: /app/{folder}"""
FOLDERS = (
    "tempo_site",
    "scripts_app",
    "runs_app",
    "notifications_app",
    "templates",
    "static",
    "docs",
)


def plain(facts: dict[str, Any]) -> str:
    return PLAIN.format(**facts, hardening=_hardening(facts))


def development(facts: dict[str, Any]) -> str:
    watched = "\n".join(SYNCED.format(folder=folder) for folder in FOLDERS)
    return DEVELOPMENT.format(**facts, watched=watched)


def for_machine(facts: dict[str, Any], name: str) -> str:
    machine = facts["machines"][name]
    return MACHINE.format(**facts, **machine, hardening=_hardening(facts))


def _hardening(facts: dict[str, Any]) -> str:
    lines = "\n".join(f"      - {name}" for name in facts["capabilities"])
    return HARDENING.format(capabilities=lines)
