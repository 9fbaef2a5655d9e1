"""The start of a script, with every Python there is: its code appears beside its files, where it does not lie."""

import functools
import json
import os
import py_compile
import subprocess
import tempfile
from pathlib import Path

import pytest

from scripts_app.environments import environments
from scripts_app.environments.drivers import build_config
from scripts_app.packages import interpreters

FOUND = {
    interpreters.minor_of(interpreter.version): interpreter.path
    for interpreter in reversed(interpreters.discover())
}

REACHES = """
import inspect, json, multiprocessing, pathlib, pickle, sys
class Note: pass
def where(number): return number, __file__, type(pickle.loads(pickle.dumps(Note()))).__module__
if __name__ == "__main__":
    beside = pathlib.Path(__file__).parent / "state.json"
    beside.write_text("kept")
    told = {"file": __file__, "argv": sys.argv, "path": sys.path[0], "doc": __doc__}
    told["source"] = inspect.getsource(where)
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            told[method] = pool.map(where, [7])
    print(json.dumps(told))
"""
COMPILE = "import py_compile, sys; py_compile.compile(sys.argv[1], sys.argv[2], doraise=True)"
FAILS = """
def inner():
    raise ValueError("inner")  # the line of the run
try:
    inner()
except ValueError as error:
    raise RuntimeError("outer") from error
"""


@pytest.fixture(params=sorted(FOUND))
def python(request: pytest.FixtureRequest) -> Path:
    return FOUND[request.param]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A script's working folder, with a `main.py` of its own that is never run."""
    for name in ("files", "run", "site"):
        (tmp_path / name).mkdir()
    (tmp_path / "files" / "main.py").write_text("print('not the code of this run')\n" * 9)
    start = tmp_path / "site" / build_config.START_FILE
    start.write_bytes(build_config.START_PROGRAM.read_bytes())
    return tmp_path / "files"


@functools.cache
def byte_code(python: Path) -> bytes:
    """The start as a build compiles it, which is what runs are given."""
    with tempfile.TemporaryDirectory() as folder:
        compiled = Path(folder, "start.pyc")
        compile_it = [
            str(python),
            "-I",
            "-S",
            "-c",
            COMPILE,
            str(build_config.START_PROGRAM),
            str(compiled),
        ]
        subprocess.run(compile_it, check=True)
        return compiled.read_bytes()


def run(python: Path, files: Path, code: str | bytes) -> "subprocess.CompletedProcess[str]":
    base = files.parent
    start = base / "site" / "start.pyc"
    start.write_bytes(byte_code(python))
    (base / "run" / "main.py").write_bytes(code.encode() if isinstance(code, str) else code)
    variables = {
        "TEMPO_FILES": str(files),
        "TEMPO_RUN_FOLDER": str(base / "run"),
        "PYTHONPATH": str(base / "site"),  # as site-packages of an environment is on the path
        "PYTHONIOENCODING": "utf-8",
    }
    return subprocess.run(
        [python, start],
        cwd=files,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_code_reads_writes_and_starts_processes_as_if_it_lay_beside_its_files(
    python: Path, files: Path
) -> None:
    done = run(python, files, REACHES)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    main = str(files / "main.py")
    assert (told["file"], told["argv"], told["path"], told["doc"]) == (
        main,
        [main],
        str(files),
        None,
    )
    assert told["source"].startswith("def where(number)")
    assert told["fork"] == [[7, main, "__main__"]]
    assert told["spawn"] == told["forkserver"] == [[7, main, "__mp_main__"]]
    assert (files / "state.json").read_text() == "kept"
    assert (files / "main.py").read_text().startswith("print('not the code")


def test_a_traceback_shows_the_lines_of_this_run_and_nothing_of_tempo(
    python: Path, files: Path
) -> None:
    done = run(python, files, FAILS)
    assert done.returncode == 1
    assert 'raise ValueError("inner")  # the line of the run' in done.stderr
    assert "raise RuntimeError" in done.stderr and done.stderr.endswith("RuntimeError: outer\n")
    assert build_config.START_FILE not in done.stderr and "not the code" not in done.stderr


def test_code_that_python_cannot_read_is_shown_as_it_is(python: Path, files: Path) -> None:
    done = run(python, files, "x = 1\ndef f(:\n    pass\n")
    assert done.returncode == 1
    assert "def f(:" in done.stderr and "SyntaxError" in done.stderr
    assert build_config.START_FILE not in done.stderr


@pytest.mark.parametrize(
    ("code", "status", "output"),
    [
        ("# coding: latin-1\nprint('\u00e9')\n".encode("latin-1"), 0, "\u00e9\n"),
        ("\ufeffprint('\u00e9')\n".encode(), 0, "\u00e9\n"),
        (b"import sys\nsys.exit(7)\n", 7, ""),
        (b"class A:\n f = lambda: 0\nprint(A.f.__code__.co_filename == __file__)\n", 0, "True\n"),
        (b"from __future__ import annotations\nx: undefined = 1\nprint(x)\n", 0, "1\n"),
        (
            b"print(sorted(n for n in globals() if 'tempo' in n.lower() or n in ('os', 'sys')))\n",
            0,
            "[]\n",
        ),
    ],
)
def test_code_means_what_it_means_by_itself(
    code: bytes, status: int, output: str, files: Path
) -> None:
    done = run(interpreters.own().path, files, code)
    assert (done.returncode, done.stdout) == (status, output), done.stderr


def test_a_warning_of_the_code_names_its_file(python: Path, files: Path) -> None:
    done = run(python, files, "\nprint(1 is 1)\n")
    assert (done.returncode, done.stdout) == (0, "True\n")
    assert f"{files / 'main.py'}:2: SyntaxWarning" in done.stderr


def test_the_start_neither_imports_nor_makes_what_costs_time(python: Path, files: Path) -> None:
    told = "import sys; print(*sys.modules, 'AST' in {kind.__name__ for kind in object.__subclasses__()})\n"
    bare = subprocess.run(
        [python, "-c", told],
        env={**os.environ, "PYTHONPATH": str(files)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(run(python, files, told).stdout.split()) <= set(bare.stdout.split())


def test_a_run_starts_the_byte_code_of_the_start_as_long_as_that_is_current(tmp_path: Path) -> None:
    start = tmp_path / "lib" / "python3" / "site-packages" / build_config.START_FILE
    start.parent.mkdir(parents=True)
    assert environments.start_file(tmp_path) == start
    assert start.read_bytes() == build_config.START_PROGRAM.read_bytes()
    compiled = Path(py_compile.compile(str(start), doraise=True) or "")
    py_compile.compile(str(start), doraise=True, optimize=1)
    environments._with_start_file.clear()
    assert environments.start_file(tmp_path) == environments.start_file(tmp_path) == compiled
    compiled.unlink()
    assert environments.start_file(tmp_path) == start
    py_compile.compile(str(start), doraise=True)
    os.utime(start, (1, 1))
    environments._with_start_file.clear()
    assert environments.start_file(tmp_path) == start
