"""What a list of runs may be narrowed by beside script, status and trigger: folder, tag, reason, version, duration."""

from dataclasses import dataclass

from django.db.models import Q

from scripts_app import folders
from scripts_app.models import Script


@dataclass(frozen=True, kw_only=True)
class RunFilter:
    """ "" and None filter nothing; `min_s` and `max_s` are bounds of the duration in seconds."""

    folder: str = ""
    tag: str = ""
    reason: str = ""
    version: int | None = None
    min_s: float | None = None
    max_s: float | None = None

    def as_query(self) -> Q:
        """Return the condition for runs, but for the one on `scripts`."""
        query = Q()
        if self.reason:
            query &= Q(reason=self.reason)
        if self.version is not None:
            query &= Q(version__number=self.version)
        if self.min_s is not None:
            query &= Q(duration_s__gte=self.min_s)
        if self.max_s is not None:
            query &= Q(duration_s__lte=self.max_s)
        return query

    def scripts(self) -> list[int] | None:
        """Return the scripts of the folder and the tag; None where all scripts are asked for."""
        if not (self.folder or self.tag):
            return None
        rows = Script.objects.all()
        if self.folder:
            rows = rows.filter(folders.within(self.folder, field="folder__path"))
        # A list of texts: SQLite cannot look into it by itself.
        chosen = []
        for pk, tags in rows.values_list("pk", "tags"):
            if not self.tag or self.tag in tags:
                chosen.append(pk)
        return chosen
