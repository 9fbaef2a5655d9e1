"""How long after an API call the first line of a script is executed, beside a bare start of the same Python."""

import time
from collections.abc import Iterator
from statistics import median

from tests.benchmarks.clients import Client
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.setting import FIRST_LINE, Bare, Setting, running
from tests.service import Service

SAMPLES = 50
WARM_UP = 3
UNASKED_S = 0.1  # nobody asks for the run before its first line: the answer would take the run's own time on a core


def measure(setting: Setting) -> Iterator[Figure]:
    """Take turns: a bare start, then one through the API, each alone on the machine."""
    with running(setting) as service:
        bare = Bare.of(service)
        slug = service.make_script("First line", FIRST_LINE)
        client = Client(service)
        pairs = [
            (bare.first_line_ms(), *through_api_ms(service, client, slug))
            for _ in range(WARM_UP + SAMPLES)
        ]
    bare_ms, line_ms, answer_ms = (list(column) for column in zip(*pairs[WARM_UP:], strict=True))
    for name, bar, value in (("median", 20, median(line_ms)), ("p95", 40, percentile(line_ms, 95))):
        yield Figure(
            benchmark="first_line",
            figure=f"API call to first line, {name}",
            value=value,
            unit="ms",
            baseline="bare start to first line, median",
            baseline_value=median(bare_ms),
            bar=bar,
            bar_on="difference",
            n=SAMPLES,
            details={"answer_of_the_call_ms": round(median(answer_ms), 1)},
        )


def through_api_ms(service: Service, client: Client, slug: str) -> tuple[float, float]:
    """Milliseconds from just before the call to the script's first line, and to the answer of the call."""
    asked = time.time()
    run_id = client.start(slug)
    answered = time.time()
    time.sleep(UNASKED_S)
    service.finished(run_id)
    began = float(service.get(f"/runs/{run_id}/log"))
    return (began - asked) * 1000, (answered - asked) * 1000
