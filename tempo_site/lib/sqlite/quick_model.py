"""A model whose rows come from the database in a third of Django's time."""

from collections.abc import Collection
from typing import Any, Self

from django.db import models
from django.db.models.base import ModelState


class QuickModel(models.Model):
    """Takes columns as they come: no signal of a new object, and no look at each field.

    Not for a model whose fields want to hear of their values, such as a FileField.
    """

    class Meta:
        abstract = True

    @classmethod
    def from_db(  # type: ignore[override]  # the types know a later Django, which says more
        cls, db: str | None, field_names: Collection[str], values: Collection[Any]
    ) -> Self:
        """Return a stored row; fields that are not named stay deferred."""
        row = cls.__new__(cls)
        row._state = ModelState()
        row._state.adding, row._state.db = False, db
        row.__dict__.update(zip(field_names, values, strict=True))
        return row
