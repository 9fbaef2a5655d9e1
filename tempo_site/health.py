"""What /healthz says: each part of the service by name, from memory."""

from typing import Any

from runs_app.engine.engine import Engine

_engine: Engine | None = None


def watch(engine: Engine | None) -> None:
    """Name the engine whose health is told; None while there is none."""
    global _engine
    _engine = engine


def health_report() -> dict[str, Any]:
    """`{"status": "ok"|"failing", "failing": [names], "parts": {name: "ok"|sentence}}`."""
    parts = _engine.health() if _engine else {"engine": "not running in this process"}
    failing = [name for name, state in parts.items() if state != "ok"]
    return {"status": "failing" if failing else "ok", "failing": failing, "parts": parts}


def isolation() -> dict[str, Any]:
    """What this installation can give to scripts; empty while that is not known."""
    return _engine.isolation() if _engine else {}


def cpu_percent() -> float | None:
    """How busy the machine's cores are, over the last seconds; None where nobody looks."""
    return _engine.cpu_percent if _engine else None
