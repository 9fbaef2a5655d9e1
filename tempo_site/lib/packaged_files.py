"""Files that pages take from Python packages: the code editor, without the megabytes beside it."""

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage, Storage

# The package is not imported and not in INSTALLED_APPS: only these files are wanted.
FOLDERS = {
    "django_ace/static/django_ace/ace": (
        "ace.js",
        "ext-searchbox.js",
        "mode-python.js",
        "css/ace.css",
        "css/main-*.png",
        "css/main-*.svg",
    ),
}


class PackagedFilesFinder(BaseFinder):
    """Offers the files to `{% static %}` under the name of their innermost folder: `ace/ace.js`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.storages = {name: _storage(name) for name in FOLDERS}

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        for name, storage in self.list([]):
            if f"{storage.prefix}/{name}" == path:  # type: ignore[attr-defined]  # staticfiles sets it on any storage
                found = storage.path(name)
                return [found] if find_all else found
        return []

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, Storage]]:
        for folder, patterns in FOLDERS.items():
            storage = self.storages[folder]
            for pattern in patterns:
                for path in sorted(Path(storage.location).glob(pattern)):
                    yield str(path.relative_to(storage.location)), storage


def _storage(folder: str) -> FileSystemStorage:
    package, _, rest = folder.partition("/")
    spec = find_spec(package)  # finds without importing
    if spec is None or spec.origin is None:
        raise ImportError(f"the package {package} is not installed")
    storage = FileSystemStorage(location=Path(spec.origin).parent / rest)
    storage.prefix = folder.rpartition("/")[2]  # type: ignore[attr-defined]
    return storage
