"""Texts as people bring them, with what is to come of each: data in TOML, read by the tests of what they are for."""

import tomllib
from pathlib import Path
from typing import Any


def cases(name: str) -> list[dict[str, Any]]:
    """The cases of `<name>.toml`."""
    text = (Path(__file__).parent / f"{name}.toml").read_text(encoding="utf-8")
    found: list[dict[str, Any]] = tomllib.loads(text)["case"]
    return found
