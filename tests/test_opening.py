"""Nobody opens a file of a run by a way of their own: `launcher/files.py` and `lib/files.py` know how it is safe."""

import ast
from collections.abc import Iterator

from tests.modules import PRODUCT, Module
from tests.rows import each_row

OPENING = frozenset(
    {"open", "fdopen", "read_text", "read_bytes", "write_text", "write_bytes", "touch", "mkfifo"}
)
# Outside of runs_app, who reads what a build has written into its run's folder.
READERS = ("scripts_app.environments.builds", "scripts_app.environments.python_installation")
# What else runs_app opens, and why that is no file of a run.
OTHERS = {
    "runs_app.launcher.files": "this is the way",
    "runs_app.launcher.folders": "folders, and /proc",
    "runs_app.launcher.bells": "the folder of the bells",
    "runs_app.launcher.forking": "/dev/null",
    "runs_app.launcher.server": "/dev/null",
    "runs_app.launcher.locks": "the locks of the data folder and of the engine",
    "runs_app.launcher.identity.landlock": "what a script may read, by O_PATH",
    "runs_app.launcher.identity.limits": "/proc",
    "runs_app.launcher.identity.names": "the users of the system",
    "runs_app.launcher.watch.procfs": "/proc",
    "runs_app.ballast": "the ballast",
    "runs_app.disk_space": "the lock of the engine",
    "runs_app.engine.engine": "the lock of the engine",
    "runs_app.launcher.identity.data_folder": "a folder made to try modes and owners",
    "runs_app.wakeup": "the folder of the bells",
}


def openings(module: Module) -> Iterator[str]:
    """Every call that opens a file by its name."""
    for node in module.nodes:
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        name = ""
        if isinstance(called, ast.Name):
            name = called.id
        elif isinstance(called, ast.Attribute):
            name = called.attr
        if name in OPENING:
            yield module.at(node, f"opens a file with {ast.unparse(called)}()")


def modules_bound() -> Iterator[Module]:
    for module in PRODUCT:
        is_of_runs = module.name.startswith("runs_app.") and module.name not in OTHERS
        if is_of_runs or module.name in READERS:
            yield module


def test_files_of_runs_are_opened_in_one_way() -> None:
    assert not [found for module in modules_bound() for found in openings(module)]


def test_every_exception_is_needed() -> None:
    opening = {module.name for module in PRODUCT if list(openings(module))}
    assert set(OTHERS) <= opening
    assert set(READERS) <= {module.name for module in PRODUCT}


@each_row(
    "source",
    [
        "open(path)",
        "os.open(path, os.O_RDONLY)",
        "(folder / LOG).open('rb')",
        "(folder / LOG).read_bytes()",
        "folder.joinpath(LOG).write_text('x')",
    ],
)
def test_an_opening_is_found(source: str) -> None:
    assert len(list(openings(Module.of("runs_app/output/log.py", source)))) == 1
