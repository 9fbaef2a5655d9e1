"""Scripts as people have them: names, folders, rhythms and code for seeded data folders."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A script to be seeded; `seconds` is how long it usually takes, `trouble` the share of runs that go wrong."""

    name: str
    folder: str = ""
    code: str = "print('done')\n"
    requirements: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    rhythm: dict[str, Any] = field(default_factory=dict)
    seconds: float = 4.0
    trouble: float = 0.02
    enabled: bool = True


COLOURED = """
import sys
import time

STEPS = ["orders", "customers", "invoices", "stock", "suppliers"]
GREEN, YELLOW, BOLD, PLAIN = "\\033[32m", "\\033[33m", "\\033[1m", "\\033[0m"

print(f"{BOLD}Refreshing {len(STEPS)} tables{PLAIN}")
for number, table in enumerate(STEPS, start=1):
    print(f"{GREEN}ok{PLAIN}   [{number}/{len(STEPS)}] {table:<12} {number * 1284:>7,} rows")
    if table == "stock":
        print(f"{YELLOW}warn{PLAIN} 3 rows without a warehouse were skipped", file=sys.stderr)
print(f"{BOLD}Done.{PLAIN} 19,260 rows in all")
"""
FAILING = """
import json
from pathlib import Path

RATES = {"EUR": 1.0, "USD": 1.08}


def convert(amount: float, currency: str) -> float:
    return amount / RATES[currency]


def load() -> list[dict[str, object]]:
    return json.loads('[{"amount": 120.5, "currency": "USD"}, {"amount": 80, "currency": "CHF"}]')


print("Loading 2 invoices from", Path.cwd().name)
for invoice in load():
    print("EUR", round(convert(invoice["amount"], invoice["currency"]), 2))
"""
LONG = """
import time
from datetime import datetime

CAMERAS = ["gate", "yard", "hall", "roof"]
frame = 0
print("Watching", len(CAMERAS), "cameras; end me with Cancel")
while True:
    frame += 1
    camera = CAMERAS[frame % len(CAMERAS)]
    print(f"{datetime.now():%H:%M:%S} \\033[36m{camera:<5}\\033[0m frame {frame:>5} \\033[32mquiet\\033[0m")
    time.sleep(0.5)
"""
BACKUP = """
\"\"\"Copies the wiki and the photo album to the second disk and keeps a week of copies.\"\"\"

import shutil
import sys
from datetime import date
from pathlib import Path

SOURCES = {"wiki": Path("wiki"), "album": Path("album")}
TARGET = Path("copies")
KEEP = 7


def copy(name: str, source: Path) -> None:
    folder = TARGET / f"{name}-{date.today():%Y-%m-%d}"
    shutil.copytree(source, folder, dirs_exist_ok=True)
    print(f"{name}: {sum(1 for _ in folder.rglob('*'))} files")


def forget_old(name: str) -> None:
    for old in sorted(TARGET.glob(f"{name}-*"))[:-KEEP]:
        shutil.rmtree(old)
        print(f"{name}: {old.name} removed")


for name, source in SOURCES.items():
    source.mkdir(exist_ok=True)
    copy(name, source)
    forget_old(name)
sys.exit(0)
"""
NIGHTLY = {"kind": "cron", "cron": "0 2 * * *"}
MORNING = {"kind": "cron", "cron": "30 6 * * 1-5"}
WEEKLY = {"kind": "cron", "cron": "15 4 * * 0"}
HOURS = {"kind": "interval", "every_s": 6 * 3600}
STARTUP = {"kind": "startup"}

SAMPLES = (
    Sample(name="Nightly backup", folder="Ops/Nightly", code=BACKUP, rhythm=NIGHTLY, seconds=94, trouble=0.04,
           description="Copies the wiki and the photo album to the second disk.", tags=("backup", "disk")),
    Sample(name="Refresh the report tables", folder="Reports", code=COLOURED, rhythm=MORNING, seconds=12,
           description="Feeds the sales dashboard before people come in.", tags=("reports",)),
    Sample(name="Convert invoices", folder="Finance", code=FAILING, rhythm=HOURS, seconds=0.8, trouble=0.4,
           tags=("invoices",)),
    Sample(name="Camera watch", folder="Home", code=LONG, seconds=3600, trouble=0.1, tags=("home", "camera")),
    Sample(name="Price watch", folder="Home", rhythm=HOURS, seconds=3.2, trouble=0.05,
           requirements="httpx>=0.27\nbeautifulsoup4\n", tags=("home",)),
    Sample(name="Rotate the logs", folder="Ops/Nightly", rhythm=WEEKLY, seconds=1.4),
    Sample(name="Check certificates", folder="Ops", rhythm=MORNING, seconds=2.1, requirements="cryptography>=42\n"),
    Sample(name="Send the weekly digest", folder="Reports", rhythm=WEEKLY, seconds=7, enabled=False),
    Sample(name="Train the demand model", folder="Research/Forecast", rhythm=NIGHTLY, seconds=1260, trouble=0.12,
           requirements="pandas==2.2.2\nscikit-learn>=1.5\n", tags=("slow",)),
    Sample(name="Sync contacts", rhythm=HOURS, seconds=5, trouble=0.08),
    Sample(name="Warm the cache", folder="Ops", rhythm=STARTUP, seconds=22),
    Sample(name="Thumbnails", folder="Home", rhythm=NIGHTLY, seconds=48),
    Sample(name="Import the sensor readings of all three greenhouses and write the daily means to the archive",
           folder="Research/Greenhouse", rhythm=HOURS, seconds=16, trouble=0.03, tags=("sensors", "archive")),
    Sample(name="Scratch", seconds=0.3, trouble=0.3),
)  # fmt: skip
