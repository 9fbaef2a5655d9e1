"""Byte code of launcher and `web`: without docstrings, asserts and columns of tracebacks, 5.5 MB less.

The flags go to these two and to runners, which are forks of the launcher; scripts and builds have neither them nor a
variable. Nothing may rest on a docstring or an assert: the API reads its descriptions from the source
(`tempo_site/api_document/descriptions.py`).
"""

import importlib.util
import os
from pathlib import Path

import django

FLAGS = ["-OO", "-X", "no_debug_ranges"]


def flags() -> list[str]:
    """Return Python's flags for `web`; none where such byte code was not made at set-up: a start would take 3 s."""
    sources = (os.__file__, django.__file__)
    compiled = [Path(importlib.util.cache_from_source(path, optimization="2")) for path in sources]
    return FLAGS if all(path.is_file() for path in compiled) else []
