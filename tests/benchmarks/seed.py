"""Fills a prepared data folder: `python -m tests.benchmarks.seed --data FOLDER [--scripts 200] [--runs 20000]`."""

import argparse
from pathlib import Path

from tests.service import manage

SCRIPTS, RUNS = 200, 20_000
FILL = (
    "from tests.benchmarks import seeding; seeding.fill(script_count={scripts}, run_count={runs})"
)


def fill(data: Path, *, scripts: int = SCRIPTS, runs: int = RUNS) -> None:
    """Seed a folder that no Tempo works on, in a process of its own: this one has other settings, or none."""
    manage(data, "shell", "-c", FILL.format(scripts=scripts, runs=runs))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.seed", description=__doc__)
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        help="a data folder on which `manage.py prepare` was run",
    )
    parser.add_argument("--scripts", type=int, default=SCRIPTS)
    parser.add_argument("--runs", type=int, default=RUNS)
    options = parser.parse_args()
    fill(options.data.absolute(), scripts=options.scripts, runs=options.runs)
    print(f"Seeded {options.scripts} scripts and {options.runs} runs into {options.data}")


if __name__ == "__main__":
    main()
