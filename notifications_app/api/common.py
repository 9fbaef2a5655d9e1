"""The router of the operations on telling people, and who may call them."""

from typing import Any

from tempo_site import auth
from tempo_site.web.late_operations import Router

router = Router(tags=["notifications"])

ONLY_STAFF = "Who is told of what is for staff.\nhint: ask a user of the staff"


def require_staff(request: auth.AuthenticatedRequest) -> None:
    auth.require_staff(request.auth, ONLY_STAFF)


def changes_of(data: Any) -> dict[str, Any]:
    """Return the fields of a body that were sent; the others do not change."""
    fields: dict[str, Any] = data.model_dump(exclude_unset=True)
    return fields
