"""One engine for all tests of the image."""

from collections.abc import Iterator

import pytest

from tests.image.engine import TAG, Engine, started


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine with the image of this checkout."""
    folder = tmp_path_factory.mktemp("engine")
    with started(folder) as engine:
        engine.build(TAG, folder / "base")
        yield engine
