"""What keeping a script apart costs it: at its start, and when it imports large packages."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.benchmarks.figures import Figure
from tests.benchmarks.setting import Setting
from tests.runs_app.launcher.confined import IS_ROOT, ORDINARY, PYTHON, STRONG, Mode, Place, opened
from tests.runs_app.launcher.harness import wait_for

SAMPLES = 150
WARM_UP = 5
IMPORTS = 3
PACKAGES = ("numpy", "pandas")
FIRST_INSTRUCTION = "import time; print(time.time())"
IMPORT = """
import sys, time
sys.path.append({folder!r})
began = time.monotonic()
import {package}
print(time.monotonic() - began)
"""
MODE = STRONG if IS_ROOT else ORDINARY


def measure(setting: Setting) -> Iterator[Figure]:
    """Starts with and without every layer in turns, on one launcher; then imports inside and outside in turns."""
    for place in opened(MODE):
        pairs = [
            (start_ms(place, is_confined=False), start_ms(place)) for _ in range(WARM_UP + SAMPLES)
        ]
        yield start_cost(*(list(column) for column in zip(*pairs[WARM_UP:], strict=True)))
        folder = install(place)
        for package in PACKAGES:
            code = IMPORT.format(folder=folder, package=package)
            times = [(outside_s(code), float(place.output(code))) for _ in range(IMPORTS)]
            yield import_cost(package, *(list(column) for column in zip(*times, strict=True)))


def start_ms(place: Place, *, is_confined: bool = True) -> float:
    """Milliseconds from laying the folder out to the first instruction of the script, with nothing else at work."""
    asked = time.time()
    folder = place.start(FIRST_INSTRUCTION, is_confined=is_confined)
    place.launcher.exit_of(folder)
    wait_for(lambda: place.launcher.web.ask("ping")["runs"] == 0)
    return (float(place.launcher.records_of(folder)[0].text) - asked) * 1000


def install(place: Place) -> str:
    """Install the large packages into the environment of the place; the folder they are in."""
    folder = str(place.environment / "lib")
    uv = str(Path(sys.executable).parent / "uv")
    command = [
        uv,
        "pip",
        "install",
        "--quiet",
        "--python",
        PYTHON,
        "--target",
        folder,
        "--compile-bytecode",
        *PACKAGES,
    ]
    subprocess.run(command, check=True)
    return folder


def outside_s(code: str) -> float:
    """What the import takes when nothing is in its way."""
    done = subprocess.run(
        [PYTHON, "-I", "-S", "-c", code], check=True, capture_output=True, text=True
    )
    return float(done.stdout)


# --- figures ---------------------------------------------------------------------------------------------------------
def layers(mode: Mode) -> str:
    """What a mode has, in words."""
    parts = ["a user of its own"] * (mode.uid is not None) + ["Landlock"] * mode.has_landlock
    return ", ".join([*parts, "limits"])


def start_cost(without: list[float], confined: list[float]) -> Figure:
    """What all layers together add to a start."""
    return Figure(
        benchmark="isolation",
        figure=f"start to first instruction with {layers(MODE)}, median",
        value=median(confined),
        unit="ms",
        baseline="the same without, median",
        baseline_value=median(without),
        bar=3,
        bar_on="difference",
        n=SAMPLES,
        details={
            "median_of_the_differences": round(
                median(b - a for a, b in zip(without, confined, strict=True)), 2
            )
        },
    )


def import_cost(package: str, outside: list[float], inside: list[float]) -> Figure:
    """How long a large package takes to import; that it can be imported at all is the better half of the news."""
    return Figure(
        benchmark="isolation",
        figure=f"import {package} with {layers(MODE)}, median",
        value=median(inside),
        unit="s",
        baseline="the same outside of Tempo, median",
        baseline_value=median(outside),
        bar=1.5,
        bar_on="ratio",
        n=IMPORTS,
    )
