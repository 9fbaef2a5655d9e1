"""How long an editor waits until its draft is saved and it is told what is wrong with the text."""

import http.client
import json
import time
from collections.abc import Iterator
from statistics import median
from typing import Any

from tests.benchmarks.clients import HEADERS, LIMIT_S
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.setting import Setting, running
from tests.service import Service

ROUNDS, WARM_UP = 60, 5
BAR_MS = 120
TEXTS = {"a script of 40 lines": 40, "a script of 400 lines": 400}
LINES = "def part_{number}(value):\n    return value + {number}\n"


def measure(setting: Setting) -> Iterator[Figure]:
    """Each save is another text, as while one types; the 95th percentile is what is judged."""
    with running(setting) as service:
        for name, count in TEXTS.items():
            slug = service.make_script(name, text_of(count, "first"))
            health_ms = [
                asked(service, "GET", "/healthz", None)[0] for _ in range(WARM_UP + ROUNDS)
            ][WARM_UP:]
            samples_ms = list(saved(service, slug, count))[WARM_UP:]
            yield Figure(
                benchmark="drafts",
                figure=f"{name}: saved and checked, p95",
                value=percentile(samples_ms, 95),
                unit="ms",
                baseline="/healthz, p95",
                baseline_value=percentile(health_ms, 95),
                bar=BAR_MS,
                bar_on="value",
                n=len(samples_ms),
                details={
                    "median": round(median(samples_ms), 1),
                    "slowest": round(max(samples_ms), 1),
                },
            )


def saved(service: Service, slug: str, count: int) -> Iterator[float]:
    """Milliseconds of each save, one after the other."""
    path, revision = f"/api/v1/scripts/{slug}/draft", 0
    for number in range(WARM_UP + ROUNDS):
        text = {
            "code": text_of(count, f"typed {number}"),
            "requirements": "requests\n",
            "python_version": "",
        }
        took_ms, answer = asked(service, "PUT", path, json.dumps(text).encode(), revision)
        assert answer["problems"], "the text has an unused import, which has to be found"
        revision = answer["revision"]
        yield took_ms


def asked(
    service: Service, method: str, path: str, body: bytes | None, revision: int = 0
) -> tuple[float, dict[str, Any]]:
    """(milliseconds, the answer) of a request; the time to connect is left out, as a browser keeps its connection."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=LIMIT_S)
    connection.connect()
    began = time.perf_counter()
    connection.request(method, path, body, HEADERS | {"If-Match": f'"{revision}"'})
    answer = connection.getresponse()
    content = answer.read()
    took_ms = (time.perf_counter() - began) * 1000
    connection.close()
    assert answer.status == 200, f"{method} {path} answered {answer.status}: {content[:200]!r}"
    return took_ms, json.loads(content)


def text_of(count: int, word: str) -> str:
    """A script of so many lines, with an unused import to be found and a comment that makes it another text."""
    parts = "".join(LINES.format(number=number) for number in range(count // 2))
    return f"import os\n{parts}# {word}\n"
