"""What tests of the start share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings


@pytest.fixture
def said() -> list[str]:
    """The lines that were told."""
    return []


@pytest.fixture
def static_root(settings: LazySettings, tmp_path: Path) -> Path:
    """A collection of its own, of one small folder."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "page.css").write_text("a {}")
    settings.DEBUG = False
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATICFILES_DIRS = [source]
    settings.STATIC_ROOT = tmp_path / "collected"
    hashed = {"BACKEND": "tempo_site.lib.static_storage.HashedStaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": hashed}
    return tmp_path / "collected"


@pytest.fixture
def umask() -> Iterator[None]:
    """The umask is the process's: put it back."""
    before = os.umask(0o022)
    yield
    os.umask(before)
