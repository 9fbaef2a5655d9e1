"""Finished runs with a log of these lines, for tests of the search."""

from datetime import UTC, datetime
from typing import Any

from runs_app.models import Run
from runs_app.search import indexer, query, search
from runs_app.search.search import Results
from runs_app.states import Status
from scripts_app.models import Script
from tempo_site.lib import paths
from tests.factories import make_run

AT_MS = 1_793_534_400_000  # 2026-11-01 12:00 UTC


def record(text: str | bytes, *, stream: str = "O", kind: str = "F", at_ms: int = AT_MS) -> bytes:
    data = text if isinstance(text, bytes) else text.encode()
    return b"%d %b %b %b\n" % (at_ms, stream.encode(), kind.encode(), data)


def make_logged(
    *lines: str,
    script: Script | None = None,
    data: bytes = b"",
    month: str = "2026-11",
    **fields: Any,
) -> Run:
    """A run that has ended and wrote these lines, or these stored bytes."""
    content = data or b"".join(map(record, lines))
    at = datetime.fromtimestamp(AT_MS / 1000, tz=UTC)
    times = {"created_at": at, "started_at": at, "finished_at": at}
    run = make_run(
        script, **{"status": Status.SUCCEEDED, "log_bytes": len(content), **times, **fields}
    )
    run.folder = f"{month}/{run.pk}-abcdef12"
    run.save(update_fields=["folder"])
    folder = paths.run_folder(run.folder)
    folder.mkdir(parents=True)
    (folder / "output.log").write_bytes(content)
    return run


def index_all() -> None:
    indexer.start()
    while indexer.step():
        pass


def find(text: str, **options: Any) -> Results:
    # As much time as a busy machine needs.
    return search.search(query.parse(text), **{"budget_s": 30.0, **options})


def found(text: str, **options: Any) -> list[tuple[int, int]]:
    """The run and the number of each line that is found."""
    return [(hit.run.pk, hit.line.number) for hit in find(text, **options).hits]
