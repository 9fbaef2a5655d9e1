"""Static files under hashed names, so that browsers may keep them for ever."""

import posixpath
import re
from collections.abc import Iterator
from typing import Any

from django.core.files.base import ContentFile, File
from django.core.files.storage import Storage
from whitenoise.storage import CompressedManifestStaticFilesStorage

IMPORT = re.compile(r'^@import "\./(?P<name>[^"]+)";$', re.MULTILINE)


class HashedStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """ES modules import each other by their hashed names as well: an upgrade never mixes old and new modules."""

    support_js_module_import_aggregation = True

    def post_process(
        self, paths: dict[str, Any], dry_run: bool = False, **options: Any
    ) -> Iterator[Any]:
        """Hash and compress; a style sheet becomes one with those that it imports, so that a page asks once."""
        joined = {
            name: (JoinedStyleSheets(storage), path) if name.endswith(".css") else (storage, path)
            for name, (storage, path) in paths.items()
        }
        yield from super().post_process(joined, dry_run, **options)


class JoinedStyleSheets:
    """The style sheets of a storage, each with the text of those it imports in the place of the `@import`."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def open(self, path: str) -> "File[bytes]":
        return ContentFile(self._text(path).encode())

    def _text(self, path: str) -> str:
        with self.storage.open(path) as sheet:
            text = sheet.read().decode()
        folder = posixpath.dirname(path)
        return IMPORT.sub(lambda found: self._text(posixpath.join(folder, found["name"])), text)
