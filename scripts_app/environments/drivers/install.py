"""The first step of a build: the packages are resolved and unpacked. No code of a package runs, unless from source.

`install CONFIG` is for Tempo's own user and has the log-in of the index. `install CONFIG source` builds what has no
wheel, and so runs the code of its authors: confined, without any log-in, in a folder of its own.
"""

import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

from scripts_app.environments.drivers import (
    build_config,
    build_progress,
    hashes,
    packages,
    uv_program,
)
from scripts_app.environments.drivers.build_config import BuildConfig, BuildError
from scripts_app.environments.drivers.build_progress import InstallationMonitor, ProgressFile

DIGEST_LENGTH = 32
_IDENTITY = """
import json, platform, sys, sysconfig
print(json.dumps([platform.python_version(), sys.implementation.name, sysconfig.get_platform(),
                  sysconfig.get_config_var("SOABI") or ""]))
"""


def main(config_path: str, mode: str = "") -> int:
    config = build_config.read_config(config_path)
    from_source = mode == build_config.SOURCE
    work = Path(config["work"])
    if from_source:
        work /= build_config.SOURCE
    return build_progress.run_step(
        Path(config["result"]), lambda: _install(config, work, from_source=from_source)
    )


def _install(config: BuildConfig, work: Path, *, from_source: bool) -> None:
    progress = ProgressFile(Path(config["progress"]))
    identity = identify(config["interpreter"])
    progress.write("resolving")
    lock = resolve(config, work, version=identity[0])
    digest = digest_of(config, identity, lock)
    if digest in config["existing"]:
        build_progress.say("These very packages were installed before: shared")
        build_config.write_result(Path(config["result"]), {"digest": digest})
        return
    folder = work / build_config.ENVIRONMENT
    make_bare(config, folder)
    install(config, folder, packages_of(lock), progress)
    if from_source:
        _open_to_tempo(work)


def identify(interpreter: str) -> list[str]:
    """Return full version, implementation, platform and ABI of a Python. Raises BuildError when it does not start."""
    argv = [interpreter, "-I", "-S", "-c", _IDENTITY]
    try:
        answer = subprocess.check_output(argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BuildError(f"Python `{interpreter}` does not start: {error}") from error
    identity: list[str] = json.loads(answer)
    return identity


def digest_of(config: BuildConfig, identity: list[str], lock: str) -> str:
    parts = list(identity)
    if config["allows_source"]:
        parts.append("source")
    if config["renew"] or config["allows_source"]:
        # A folder of its own: current runs go on with the old one, and what the code of packages has made is never
        # taken for what another build would make.
        parts.append(Path(config["work"]).name)
    text = "\n".join([*parts, lock])
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]


def packages_of(lock: str) -> list[str]:
    return re.findall(r"^[^\s#;]+(?:==| @ )[^\s;\\]+", lock, re.MULTILINE)


def resolve(config: BuildConfig, work: Path, *, version: str) -> str:
    """Return the lock (all packages with versions and hashes) and store it as `lock.txt`; "" without requirements."""
    lock = work / build_config.LOCK
    if config["lock"]:
        build_progress.say(f"Taking the packages of the lock for Python {version}")
        lock.write_text(config["lock"])
        return config["lock"]
    if not config["requirements"]:
        lock.write_text("")
        return ""
    count = len(config["requirements"].splitlines())
    what = build_progress.count_of(count, "requirement")
    build_progress.say(f"Resolving {what} for Python {version}")
    (work / build_config.REQUIREMENTS).write_text(config["requirements"] + "\n")
    # Without header and annotations the lock does not depend on the requirements, so equal sets of packages are shared.
    argv = [config["uv"], "pip", "compile", "--python", config["interpreter"]]
    argv += ["--generate-hashes", "--no-header", "--no-annotate", "-o", lock.name]
    argv += _wheel_options(config)
    if config["refresh"]:
        argv.append("--refresh")
    uv_program.run([*argv, build_config.REQUIREMENTS], cwd=work)
    allowed = hashes.restrict(lock.read_text(), config["requirements"])
    lock.write_text(allowed)
    return allowed


def make_bare(config: BuildConfig, folder: Path) -> None:
    """Make an environment without packages, and note beside it what it consists of."""
    argv = [config["uv"], "venv", "--quiet", "--relocatable", "--no-project"]
    uv_program.run([*argv, "--python", config["interpreter"], str(folder)], cwd=folder.parent)
    for site in folder.glob("lib/python*/site-packages"):
        (site / build_config.STACK_FILE).write_text(build_config.STACK_LINE)
        shutil.copyfile(build_config.START_PROGRAM, site / build_config.START_FILE)
    own = {name: fingerprint(folder / name) for name in packages.files(folder)}
    (folder.parent / build_config.OWN_FILES).write_text(json.dumps(own))


def fingerprint(path: Path) -> str:
    """Return what tells a file or link from another; "" for a file that is gone."""
    try:
        if path.is_symlink():
            return f"-> {path.readlink()}"
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def install(config: BuildConfig, folder: Path, names: list[str], progress: ProgressFile) -> None:
    """Unpack the packages of the lock into a bare environment."""
    if not names:
        return
    build_progress.say(f"Installing {build_progress.count_of(len(names), 'package')}")
    # uv would compile with the environment's own Python, and packages have a say in the start of that.
    argv = [config["uv"], "pip", "sync", "--python", str(folder / "bin" / "python")]
    argv += ["--require-hashes", "--no-compile-bytecode", *_wheel_options(config)]
    argv += ["--link-mode", config["link_mode"], build_config.LOCK]
    monitor = InstallationMonitor(
        progress, folder, step="downloading", packages=names, total=len(names)
    )
    with monitor.watching():
        uv_program.run(argv, cwd=folder.parent, on_output=monitor.on_output)


def _wheel_options(config: BuildConfig) -> list[str]:
    return [] if config["allows_source"] else ["--only-binary", ":all:"]


def _open_to_tempo(work: Path) -> None:
    # It has a user of its own here, and the next step reads with the rights of the group.
    for parent, _, names in os.walk(work / build_config.ENVIRONMENT):
        Path(parent).chmod(0o770)
        for name in names:
            path = Path(parent, name)
            if not path.is_symlink():
                path.chmod(stat.S_IMODE(path.stat().st_mode) | 0o440)
