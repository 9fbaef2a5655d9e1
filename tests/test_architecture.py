"""The rules of docs/architecture.md that a program can check: who imports whom, what the launcher may use, ceilings."""

import ast
import graphlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import pytest

from runs_app.states import Kind, Status
from scripts_app.models import Environment
from tests.modules import NAMES, PACKAGES, PRODUCT, ROOT, TESTS, Module
from tests.rows import each_row

pytestmark = pytest.mark.slow

FLOORS = {"scripts_app": 1, "runs_app": 2, "notifications_app": 3}
GROUND = frozenset(
    {"lib", "models", "auth", "accounts", "audit", "stored_settings", "backups"}
)  # of tempo_site; the rest of it is the roof
GROUND_FLOOR, ROOF = 0, 4
DOORS = frozenset(
    {
        "admin",
        "api",
        "apps",
        "consumers",
        "forms",
        "management",
        "receivers",
        "routing",
        "tasks",
        "templatetags",
    }
    | {"urls", "views"}
)
WIRING = frozenset(
    {
        "tempo_site.urls",
        "tempo_site.api",
        "tempo_site.asgi",
        "tempo_site.adminsite",
        "runs_app.routing",
    }
)
# Doors of one app that belong together: an address names its view, a page and the admin show a form, an app connects
# its receivers, and with --json a command prints what the API answers.
OWN_DOORS = {
    "urls": {"views"},
    "views": {"forms"},
    "admin": {"views", "forms"},
    "apps": {"receivers"},
    "management": {"api"},
}
LAUNCHER = "runs_app.launcher"
STDLIB_ONLY = (LAUNCHER, "scripts_app.environments.drivers", "scripts_app.exchange.programs")
# The rooms of each app from left to right: a core module imports only from its own room and from those before it.
ROOMS = {
    app: tuple(rooms.split())
    for app, rooms in {
        "scripts_app": """
            validation timing packages models environments files folders inputs limits variables diagnostics
            schedules lookup reach versions slugs scripts script_rows stars bulk crontab exchange mirror deletion
            external_edits pythons script_template_files script_templates
        """,
        "runs_app": """
            states signals disk_space ballast wakeup launcher models hot_statements runner_report run_folder
            launcher_client lookup owners output figures history failures search exports new_runs payloads programs
            execution admission triggers url_triggers scheduler engine
        """,
        "notifications_app": """
            models lookup rules channels messages events delivery sending
        """,
    }.items()
}
SIDE_BY_SIDE = 20  # modules in one folder
INTRODUCTION_LINES = range(3, 7)  # of a package's docstring
# What states.py names, by the field of Run that holds it.
WORDS_OF_FIELD: dict[str, Sequence[str]] = {"status": Status.values, "kind": Kind.values}
VAGUE = frozenset({"utils", "helpers", "services", "managers"})

FUNCTION_LINES, TEST_FUNCTION_LINES = 30, 40
MODULE_LINES, TEST_MODULE_LINES, TEMPLATE_LINES = 400, 600, 200
# Functions that may be longer than 30 lines, each with its reason.
LONG_FUNCTIONS: dict[str, str] = {}
# Modules that import within functions, each with its reason.
HIDDEN_IMPORTS = {
    "scripts_app.environments.drivers.script_main": "its module's names make place for a script's"
}
# Modules that may be longer than 400 lines, each with its reason.
LONG_MODULES: dict[str, str] = {}


Check = Callable[[Module, frozenset[str]], Iterator[str]]


# --- the rules: each yields the violations of one module ------------------------------------------------------------
def imports(module: Module, names: frozenset[str]) -> Iterator[tuple[ast.stmt, str]]:
    """Every import with its target; `from a import b` is `a.b` where that is one of the modules `names`, else `a`."""
    for node in module.nodes:
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = absolute(module, node)
            for alias in node.names:
                target = f"{source}.{alias.name}"
                yield node, target if target in names else source


def absolute(module: Module, node: ast.ImportFrom) -> str:
    """The module that a `from` names, dots resolved."""
    if not node.level:
        return node.module or ""
    parts = module.package.split(".")
    return ".".join(
        [*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])]
    )


def floor_of(name: str) -> int:
    """How far right a module stands."""
    app, _, rest = name.partition(".")
    if app != "tempo_site":
        return FLOORS[app]
    return GROUND_FLOOR if not rest or rest.partition(".")[0] in GROUND else ROOF


def door_of(name: str) -> str:
    """The kind of door a module is, or ""."""
    _, _, rest = name.partition(".")
    first = rest.partition(".")[0]
    return first if first in DOORS else ""


def imports_to_the_right(module: Module, names: frozenset[str]) -> Iterator[str]:
    """The import rule: core modules look left, doors import any core, and only the wiring imports a door."""
    for node, target in imports(module, names):
        if target.partition(".")[0] not in PACKAGES:
            continue
        if door_of(target):
            if not may_open(module.name, target):
                yield module.at(
                    node, f"{module.name} imports the door {target}; only the wiring may"
                )
        elif not door_of(module.name) and floor_of(target) > floor_of(module.name):
            yield module.at(node, f"{module.name} imports {target}, which stands to its right")


def room_of(name: str) -> str:
    """The package or module right below an app that a module is or lies in."""
    return name.partition(".")[2].partition(".")[0]


def imports_from_later_rooms(module: Module, names: frozenset[str]) -> Iterator[str]:
    """The order of rooms within an app, doors apart."""
    app, _, _ = module.name.partition(".")
    own = room_of(module.name)
    if app not in ROOMS or not own or door_of(module.name):
        return
    if own not in ROOMS[app]:
        yield f"{module.path}:1 stands in no room that ROOMS knows"
        return
    for node, target in imports(module, names):
        room = room_of(target)
        if not target.startswith(f"{app}.") or door_of(target) or room not in ROOMS[app]:
            continue
        if ROOMS[app].index(room) > ROOMS[app].index(own):
            yield module.at(node, f"{module.name} imports {target}, whose room comes later")


def silent_packages(module: Module, _: frozenset[str]) -> Iterator[str]:
    """Packages with modules in them whose `__init__` does not say in three lines what is inside, or does more.

    Not `models`: Django finds an app's models by what its `models` names.
    """
    is_package = module.path.endswith("__init__.py") and "." in module.name
    if not is_package or door_of(module.name) or room_of(module.name) == "models":
        return
    lines = (ast.get_docstring(module.tree) or "").splitlines()
    if len(lines) not in INTRODUCTION_LINES:
        yield f"{module.path}:1 does not say in three lines what is in the package"
    if len(module.tree.body) > 1:
        yield f"{module.path}:1 holds more than its docstring"


def may_open(importer: str, door: str) -> bool:
    """Whether a module may import this door: the wiring, the door's own parts, its neighbours in the app."""
    kind, own = door_of(door), door_of(importer)
    is_same_app = importer.partition(".")[0] == door.partition(".")[0]
    return importer in WIRING or (is_same_app and (own == kind or kind in OWN_DOORS.get(own, ())))


def hidden_imports(module: Module, _: frozenset[str]) -> Iterator[str]:
    """Imports inside functions. AppConfig.ready may: Django wants what needs its registry imported there."""
    found = [node for node in module.nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    if module.name in HIDDEN_IMPORTS or all(node in module.tree.body for node in found):
        return
    for function in functions(module):
        if function.name == "ready" and module.name.endswith(".apps"):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield module.at(node, f"import inside {function.name}()")


def foreign_imports(module: Module, names: frozenset[str]) -> Iterator[str]:
    """What the launcher and the drivers import beside the standard library and their own."""
    if not is_below(module.name, STDLIB_ONLY):
        return
    for node, target in imports(module, names):
        is_own = any(
            is_below(target, (place,)) and is_below(module.name, (place,)) for place in STDLIB_ONLY
        )
        if target.partition(".")[0] not in sys.stdlib_module_names and not is_own:
            yield module.at(
                node, f"imports {target}; {module.name} runs with the standard library alone"
            )


def shadowing_names(module: Module, _: frozenset[str]) -> Iterator[str]:
    """Launcher modules named like one of the standard library, which would break Python itself."""
    stem = module.name.rpartition(".")[2]
    if is_below(module.name, (LAUNCHER,)) and stem in sys.stdlib_module_names:
        yield f"{module.path}:1 bears the name of the standard library's `{stem}`"


def missing_docstring(module: Module, _: frozenset[str]) -> Iterator[str]:
    """Modules that do not say what they are; a file without a line, the mark of a package, has nothing to say."""
    if module.source and not ast.get_docstring(module.tree):
        yield f"{module.path}:1 does not open with a docstring"


def vague_names(module: Module, _: frozenset[str]) -> Iterator[str]:
    """Modules named after nothing."""
    for word in VAGUE.intersection(module.name.split(".")):
        yield f"{module.path}:1 is called `{word}`: name it after what it does"


def long_functions(module: Module, _: frozenset[str]) -> Iterator[str]:
    """Functions above the ceiling that have no reason on the list."""
    ceiling = TEST_FUNCTION_LINES if is_below(module.name, ("tests",)) else FUNCTION_LINES
    for function in functions(module):
        lines = (function.end_lineno or function.lineno) - function.lineno + 1
        if lines > ceiling and f"{module.name}.{function.name}" not in LONG_FUNCTIONS:
            yield module.at(
                function, f"{function.name}() has {lines} lines, the ceiling is {ceiling}"
            )


def long_modules(module: Module, _: frozenset[str]) -> Iterator[str]:
    """Modules above the ceiling."""
    ceiling = TEST_MODULE_LINES if is_below(module.name, ("tests",)) else MODULE_LINES
    lines = len(module.source.splitlines())
    if lines > ceiling and module.name not in LONG_MODULES:
        yield f"{module.path}:{lines} has {lines} lines, the ceiling is {ceiling}"


def spelt_states(module: Module, _: frozenset[str]) -> Iterator[str]:
    """States and kinds of a run, and states reached through a relation, written as text instead of by their names.

    The launcher is left out: it may not import states.py, and writes the words of exit.json.
    """
    if module.name == "runs_app.states" or is_below(module.name, (LAUNCHER,)):
        return
    for node in module.nodes:
        for word in spelt_words(node):
            yield module.at(
                word, f"spells the state {ast.unparse(word)}; take it from the class that names it"
            )


def spelt_words(node: ast.AST) -> Iterator[ast.expr]:
    """The literals in `status="..."`, `status__in=[...]`, `run__kind="..."` and comparisons with `....status`."""
    if isinstance(node, ast.keyword) and node.arg:
        yield from literals([node.value], words_of_lookup(node.arg))
    elif isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        for side in sides:
            if isinstance(side, ast.Attribute):
                yield from literals(sides, WORDS_OF_FIELD.get(side.attr, ()))


def words_of_lookup(name: str) -> Sequence[str]:
    """The words that may not be spelt behind this keyword, which may be a path: `environment__state__in`.

    A plain `state` is a field of many models; behind a relation it is an environment's.
    """
    first, *others = name.split("__")
    if "state" in others:
        return Environment.State.values
    for field, words in WORDS_OF_FIELD.items():
        if first.startswith(field) or field in others:
            return words
    return ()


def literals(expressions: Sequence[ast.expr], words: Sequence[str]) -> Iterator[ast.expr]:
    """The places in these expressions where one of these words is written."""
    for expression in expressions:
        for part in ast.walk(expression):
            if isinstance(part, ast.Constant) and part.value in words:
                yield part


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions and methods, nested ones too."""
    for node in module.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def is_below(name: str, places: tuple[str, ...]) -> bool:
    """Whether a module is one of these packages or modules, or lies in one."""
    return any(name == place or name.startswith(f"{place}.") for place in places)


def circles(modules: list[Module]) -> list[str]:
    """Modules that import each other in a circle: the first one found, as a chain of names."""
    names = frozenset(module.name for module in modules)
    graph = {
        module.name: {target for _, target in imports(module, names)} & names for module in modules
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return [" <- ".join(error.args[1])]
    return []


# --- the code keeps them -------------------------------------------------------------------------------------------
def violations(check: Check, modules: list[Module]) -> str:
    """What a check finds in these modules, one a line."""
    return "\n".join(line for module in modules for line in check(module, NAMES))


@each_row(
    "check",
    [
        imports_to_the_right,
        imports_from_later_rooms,
        silent_packages,
        foreign_imports,
        shadowing_names,
        spelt_states,
    ],
)
def test_the_product_keeps(check: Check) -> None:
    assert not (found := violations(check, PRODUCT)), f"{check.__doc__}\n{found}"


@each_row("check", [hidden_imports, missing_docstring, vague_names, long_functions, long_modules])
def test_the_product_and_its_tests_keep(check: Check) -> None:
    assert not (found := violations(check, [*PRODUCT, *TESTS])), f"{check.__doc__}\n{found}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert not circles(PRODUCT)


def test_no_folder_holds_more_modules_than_a_reader_takes_in() -> None:
    folders = Counter(
        module.path.rpartition("/")[0]
        for module in PRODUCT
        if not module.path.endswith("__init__.py")
    )
    assert not {folder: count for folder, count in folders.items() if count > SIDE_BY_SIDE}


def test_templates_stay_below_their_ceiling() -> None:
    sizes = {
        path.relative_to(ROOT): len(path.read_text().splitlines())
        for path in ROOT.glob("templates/**/*.html")
    }
    assert sizes, "no templates found: the pattern is wrong"
    assert not [f"{path}:{lines} lines" for path, lines in sizes.items() if lines > TEMPLATE_LINES]


def test_every_exception_on_the_list_is_still_needed() -> None:
    too_long = {
        f"{module.name}.{function.name}"
        for module in PRODUCT
        for function in functions(module)
        if (function.end_lineno or 0) - function.lineno + 1 > FUNCTION_LINES
    }
    assert set(LONG_FUNCTIONS) <= too_long
    lines = {module.name: len(module.source.splitlines()) for module in PRODUCT}
    assert all(lines[name] > MODULE_LINES for name in LONG_MODULES)


def test_all_four_packages_were_looked_at() -> None:
    assert {name.partition(".")[0] for name in NAMES} == set(PACKAGES)


# --- the checks see what they are for ------------------------------------------------------------------------------
KNOWN = frozenset(
    {
        "scripts_app.scripts",
        "scripts_app.tasks",
        "scripts_app.versions.drafts",
        "runs_app.engine.engine",
        "scripts_app.views",
        "tempo_site.health",
    }
    | {
        "runs_app.admin",
        "runs_app.launcher.wire",
        "runs_app.output.live",
        "runs_app.triggers.triggers",
    }
)


@each_row(
    ("check", "path", "source"),
    [
        (imports_to_the_right, "scripts_app/versions/versions.py", "from runs_app import triggers"),
        (
            imports_to_the_right,
            "scripts_app/versions/versions.py",
            "import runs_app.triggers.triggers",
        ),
        (
            imports_to_the_right,
            "scripts_app/versions/versions.py",
            "if 1:\n  from runs_app.triggers.triggers import start",
        ),
        (imports_to_the_right, "tempo_site/lib/humanize.py", "from scripts_app import scripts"),
        (imports_to_the_right, "tempo_site/auth.py", "from tempo_site import health"),
        (
            imports_to_the_right,
            "runs_app/triggers/triggers.py",
            "from notifications_app import rules",
        ),
        (imports_to_the_right, "runs_app/triggers/triggers.py", "from runs_app.tasks import admit"),
        (imports_to_the_right, "runs_app/api.py", "from scripts_app.views import detail"),
        (imports_to_the_right, "runs_app/views.py", "from scripts_app.forms import ScriptForm"),
        (imports_to_the_right, "runs_app/views.py", "from runs_app import admin"),
        (imports_to_the_right, "scripts_app/views/detail.py", "from .. import tasks"),
        (imports_from_later_rooms, "runs_app/output/live.py", "from runs_app.engine import engine"),
        (
            imports_from_later_rooms,
            "scripts_app/timing/rule.py",
            "from scripts_app.versions.drafts import text",
        ),
        (imports_from_later_rooms, "scripts_app/somewhere.py", ""),
        (silent_packages, "runs_app/output/__init__.py", '"""Output."""'),
        (silent_packages, "runs_app/output/__init__.py", '"""Output.\n\nOf\nruns."""\nimport os'),
        (hidden_imports, "runs_app/output/live.py", "def f():\n  import os"),
        (
            hidden_imports,
            "runs_app/output/live.py",
            "class C:\n  async def ready(self):\n    from os import path",
        ),
        (foreign_imports, "runs_app/launcher/server.py", "import django"),
        (foreign_imports, "runs_app/launcher/server.py", "from runs_app.output import live"),
        (foreign_imports, "runs_app/launcher/server.py", "from tempo_site.lib import files"),
        (foreign_imports, "scripts_app/environments/drivers/install.py", "import uv"),
        (
            foreign_imports,
            "scripts_app/environments/drivers/install.py",
            "from runs_app.launcher import wire",
        ),
        (shadowing_names, "runs_app/launcher/queue.py", ""),
        (missing_docstring, "runs_app/output/live.py", "import os"),
        (vague_names, "runs_app/utils.py", ""),
        (vague_names, "runs_app/services/start.py", ""),
        (long_functions, "runs_app/output/live.py", "def f():\n" + "  pass\n" * FUNCTION_LINES),
        (long_functions, "tests/test_live.py", "def f():\n" + "  pass\n" * TEST_FUNCTION_LINES),
        (long_modules, "runs_app/output/live.py", "\n" * (MODULE_LINES + 1)),
        (long_modules, "tests/runs_app/test_live.py", "\n" * (TEST_MODULE_LINES + 1)),
        (spelt_states, "runs_app/output/live.py", "Run.objects.filter(status='queued')"),
        (
            spelt_states,
            "runs_app/output/live.py",
            "rows.exclude(status__in=['lost', Status.FAILED])",
        ),
        (spelt_states, "runs_app/output/live.py", "run.status == 'running'"),
        (spelt_states, "runs_app/output/live.py", "rows.filter(runs__status='running')"),
        (spelt_states, "runs_app/output/live.py", "rows.filter(status__exact='running')"),
        (
            spelt_states,
            "runs_app/engine/reconcile.py",
            "Run.objects.under_way().filter(environment__state='building')",
        ),
        (spelt_states, "runs_app/engine/reconcile.py", "Run.objects.filter(kind='build')"),
        (spelt_states, "runs_app/output/live.py", "run.kind == 'build'"),
    ],
)
def test_a_check_catches(check: Check, path: str, source: str) -> None:
    found = list(check(Module.of(path, source), KNOWN))
    assert len(found) == 1
    assert found[0].startswith(f"{path}:")


@each_row(
    ("check", "path", "source"),
    [
        (
            imports_to_the_right,
            "runs_app/triggers/triggers.py",
            "from scripts_app import scripts\nfrom runs_app import live",
        ),
        (
            imports_to_the_right,
            "scripts_app/views.py",
            "from runs_app import triggers\nfrom scripts_app import forms",
        ),
        (imports_to_the_right, "scripts_app/urls.py", "from scripts_app import views"),
        (
            imports_to_the_right,
            "tempo_site/urls.py",
            "from scripts_app import views\nfrom tempo_site.api import api",
        ),
        (
            imports_to_the_right,
            "scripts_app/views/detail.py",
            "from scripts_app.views import shared",
        ),
        (
            imports_to_the_right,
            "tempo_site/health.py",
            "from runs_app.output.live import publish\nimport django",
        ),
        (imports_from_later_rooms, "runs_app/engine/engine.py", "from runs_app.output import live"),
        (silent_packages, "runs_app/output/__init__.py", '"""Output.\n\nOf\nruns."""'),
        (
            hidden_imports,
            "runs_app/apps.py",
            "class C:\n  def ready(self):\n    from runs_app import live",
        ),
        (
            foreign_imports,
            "runs_app/launcher/server.py",
            "import os.path\nfrom runs_app.launcher import wire",
        ),
        (foreign_imports, "runs_app/output/live.py", "import django"),
        (shadowing_names, "runs_app/launcher/wire.py", ""),
        (missing_docstring, "runs_app/management/__init__.py", ""),
        (
            long_functions,
            "runs_app/output/live.py",
            "def f():\n" + "  pass\n" * (FUNCTION_LINES - 1),
        ),
        (spelt_states, "runs_app/states.py", "filter(status='queued')"),
        (spelt_states, "scripts_app/api.py", "environment(state='failed')"),
        (spelt_states, "scripts_app/api.py", "Schedule.objects.filter(kind='cron')"),
    ],
)
def test_a_check_lets_pass(check: Check, path: str, source: str) -> None:
    assert not list(check(Module.of(path, source), KNOWN))


def test_a_circle_is_found_and_named() -> None:
    one = Module.of("runs_app/output/live.py", "from runs_app.triggers import triggers")
    two = Module.of("runs_app/triggers/triggers.py", "from runs_app.output.live import publish")
    assert circles([one]) == []
    assert (
        "runs_app.output.live" in circles([one, two])[0]
        and "runs_app.triggers.triggers" in circles([one, two])[0]
    )
