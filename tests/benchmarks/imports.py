"""The heaviest imports of the web process: each package with all that it is the first to pull in."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.benchmarks.figures import Figure
from tests.benchmarks.setting import Setting
from tests.service import ROOT, environment

HEAVIEST = 5
OURS = frozenset({"tempo_site", "scripts_app", "runs_app", "notifications_app"})
LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|( +)(\S+)")
LIMIT_S = 60
# What `manage.py web` has imported after its first page.
CHAIN = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "tempo_site.settings"
import django
django.setup()
import tempo_site.management.commands.web
import tempo_site.urls
"""
# The same with a look at the memory around each module: nested as importtime's lines are.
WEIGHED = """
import sys, importlib.abc, importlib.machinery, os
PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024
depth = 0
def resident_kb():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * PAGE_KB
def weigh(loader):
    execute = loader.exec_module
    def exec_module(module):
        global depth
        before = resident_kb()
        depth += 1
        try:
            execute(module)
        finally:
            depth -= 1
            grown = resident_kb() - before
            print(f"import time: 0 | {grown} | {'  ' * depth}{module.__name__}", file=sys.stderr)
    loader.exec_module = exec_module
class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec and spec.loader and hasattr(spec.loader, "exec_module"):
            weigh(spec.loader)
        return spec
sys.meta_path.insert(0, Finder())
"""


@dataclass(frozen=True, kw_only=True)
class Module:
    """One import with those that it was the first to make."""

    name: str
    cumulative: int
    children: list["Module"] = field(default_factory=list)

    @property
    def package(self) -> str:
        """Its top-level name."""
        return self.name.partition(".")[0]


def measure(setting: Setting) -> Iterator[Figure]:
    """Time by `-X importtime`, memory by a look at the resident size; both in a fresh Python."""
    report(setting, CHAIN)  # the files are in the page cache after this
    times = weights(report(setting, CHAIN))
    sizes = weights(report(setting, WEIGHED + CHAIN, with_times=False))
    heaviest = sorted(sizes, key=lambda name: sizes[name], reverse=True)[:HEAVIEST]
    yield Figure(
        benchmark="imports",
        figure=f"memory of web's imports; the {HEAVIEST} heaviest are named",
        value=sum(sizes.values()) / 1024,
        unit="MB",
        baseline="the same by Django alone",
        baseline_value=sizes.get("django", 0) / 1024,
        bar=None,
        bar_on="value",
        n=1,
        details={
            "heaviest": {name: described(sizes[name], times.get(name, 0)) for name in heaviest}
        },
    )


def described(size_kb: int, time_us: int) -> str:
    """A package's share, for the report."""
    return f"{size_kb / 1024:.1f} MB, {time_us / 1000:.0f} ms"


def report(setting: Setting, code: str, *, with_times: bool = True) -> str:
    """What a fresh Python says on stderr while it imports what web does."""
    command = [sys.executable, *(["-X", "importtime"] if with_times else []), "-c", code]
    env = environment(setting.prepared) | {"PYTHONPATH": os.fspath(ROOT)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stderr


def weights(text: str) -> dict[str, int]:
    """The sum for each top-level package that is not ours, with what it pulls in; no module counts twice."""
    sums: dict[str, int] = {}
    for module in foreign(roots(text)):
        sums[module.package] = sums.get(module.package, 0) + module.cumulative
    return sums


def foreign(modules: list[Module]) -> Iterator[Module]:
    """The outermost modules that are not ours."""
    for module in modules:
        if module.package in OURS:
            yield from foreign(module.children)
        else:
            yield module


def roots(text: str) -> list[Module]:
    """The tree of imports: a line comes behind those of the modules that it pulled in, which are indented deeper."""
    pending: list[tuple[int, Module]] = []
    for _, cumulative, indent, name in LINE.findall(text):
        children: list[Module] = []
        while pending and pending[-1][0] > len(indent):
            children.insert(0, pending.pop()[1])
        pending.append(
            (len(indent), Module(name=name, cumulative=int(cumulative), children=children))
        )
    return [module for _, module in pending]
