"""The health of the service for /healthz: each part by name, from memory."""

from typing import Any

from runs_app.engine.engine import Engine

_engine: Engine | None = None


def watch(engine: Engine | None) -> None:
    """Name the engine whose health is reported; None while there is no engine."""
    global _engine
    _engine = engine


def health_report() -> dict[str, Any]:
    """Return `{"status": "ok"|"failing", "failing": [names], "parts": {name: "ok"|sentence}}`."""
    parts = {"engine": "not running in this process"}
    if _engine:
        parts = _engine.health()
    failing = [name for name, state in parts.items() if state != "ok"]
    status = "failing" if failing else "ok"
    return {"status": status, "failing": failing, "parts": parts}


def isolation() -> dict[str, Any]:
    """Return the isolation that this installation can give to scripts; empty while the grade is not known."""
    if _engine is None:
        return {}
    return _engine.isolation()


def cpu_percent() -> float | None:
    """Return how busy the machine's cores were in the last seconds; None without an engine in this process."""
    if _engine is None:
        return None
    return _engine.cpu_percent
