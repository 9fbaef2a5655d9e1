"""What the operations on runs share: the router, and the cursor of a list of runs."""

from typing import Annotated

from ninja import Query

from runs_app.search import run_lists
from tempo_site.web.late_operations import Router

router = Router(tags=["runs"])

RunCursor = Annotated[str, Query(default="", pattern=rf"^({run_lists.CURSOR})?$")]
