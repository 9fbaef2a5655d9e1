"""Static files under hashed names, so that browsers may keep them for ever."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """ES modules import each other by their hashed names as well: an upgrade never mixes old and new modules."""

    support_js_module_import_aggregation = True
