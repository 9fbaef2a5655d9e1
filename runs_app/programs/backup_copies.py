"""What follows a backup that was made: its copy in a second folder, and at a remote place by rclone or restic.

A remote place is a name in rclone's own configuration, which the machine's owner writes: addresses, keys and options of
rclone, some of which are commands, are said there and nowhere else. restic keeps its repository at such a place, too.
"""

import configparser
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings

from runs_app.programs import driver
from runs_app.programs.program import StepSpec
from tempo_site.backups import backup_files, program
from tempo_site.backups.program import BackupFailed, ProgramStart
from tempo_site.lib import confined, network_access
from tempo_site.stored_settings import backup as section
from tempo_site.stored_settings import store

RCLONE, RESTIC = "rclone", "restic"
AROUND = "The second place, `{}`, has Tempo's own folders in it.\nhint: name another folder on the page Backups"
NOT_INSTALLED = "`{}` is not installed on this machine.\nhint: install it, or empty *Remote place* on the page Backups"
NOT_CONFIGURED = "`{}` names no file that can be read.\nhint: set it to the whole path of {}"


def steps(path: Path, result: Path) -> list[StepSpec]:
    """Return what is to be done with a new backup. Raise BackupFailed where it cannot be."""
    folder = result.parent
    found = []
    place = str(store.value(section.SECOND_PLACE))
    if place:
        if not confined.can_open(Path(place)):
            raise BackupFailed(AROUND.format(place))
        call = program.copying(path, Path(place)).reporting_to(result)
        found.append(_step(call.argv(), isolation(call, folder), {"LANG": "C.UTF-8"}, folder))
    remote = str(store.value(section.REMOTE))
    if remote:
        tool, _, where = remote.partition(":")
        found += _remote_steps(tool, where, path, folder)
    return found


def isolation(call: ProgramStart, folder: Path) -> dict[str, Any]:
    return {
        **driver.isolation(write=[*call.write, folder]),
        "read": call.places_to_read(),
    }


def _remote_steps(tool: str, where: str, path: Path, folder: Path) -> list[StepSpec]:
    rclone = _installed(RCLONE)  # restic starts it
    config = _file(settings.BACKUP_RCLONE_CONFIG, "PYSCHED_BACKUP_RCLONE_CONFIG", "rclone's file")
    read = [config, *_named_files(config), str(path)]
    if tool == RCLONE:
        calls = _rclone_calls(rclone, where, path)
    else:
        name, what = "PYSCHED_BACKUP_RESTIC_PASSWORD_PATH", "a file with the repository's password"
        password = _file(settings.BACKUP_RESTIC_PASSWORD_PATH, name, what)
        read.append(password)
        calls = _restic_calls(_installed(RESTIC), where, path, password)
    confinement = {
        **driver.isolation(write=[folder]),
        "read": [*read, *network_access.certificate_paths()],
    }
    variables = {
        **network_access.variables(),
        "LANG": "C.UTF-8",
        "PATH": f"{Path(rclone).parent}:/usr/bin:/bin",
        "HOME": str(folder / "tmp"),  # for caches, and so that no other configuration is found
        "RCLONE_CONFIG": config,
    }
    return [_step(call, confinement, variables, folder) for call in calls]


def _installed(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise BackupFailed(NOT_INSTALLED.format(name))
    return found


def _file(path: str, setting: str, what: str) -> str:
    if not path.startswith("/") or not Path(path).is_file():
        raise BackupFailed(NOT_CONFIGURED.format(setting, what))
    return path


def _named_files(config: str) -> list[str]:
    """Return the files that rclone's configuration names by their whole path: keys, known hosts, credentials."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read(config, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):  # an encrypted one
        return []
    values = [value for name in parser.sections() for _option, value in parser.items(name)]
    return [value for value in values if value.startswith("/") and Path(value).is_file()]


def _rclone_calls(rclone: str, where: str, path: Path) -> list[list[str]]:
    options = ["--stats-one-line", "--stats=60s", "--log-level=NOTICE"]
    calls = [[rclone, "copyto", *options, "--", str(path), f"{where}/{path.name}"]]
    beyond = [row.name for row in backup_files.beyond(backup_files.listed())]
    if beyond:
        includes = [f"--include=/{name}" for name in beyond]
        calls.append([rclone, "delete", "--max-depth=1", *options, *includes, "--", where])
    return calls


def _restic_calls(restic_path: str, where: str, path: Path, password: str) -> list[list[str]]:
    restic = [restic_path, f"--repo=rclone:{where}", "--no-cache", f"--password-file={password}"]
    kept = [
        f"--keep-{period}={store.number(setting)}"
        for period, setting in (
            ("daily", section.DAILY),
            ("weekly", section.WEEKLY),
            ("monthly", section.MONTHLY),
        )
    ]
    known = ["--tag=tempo", "--host=tempo"]
    return [
        [*restic, "backup", *known, "--", str(path)],
        [*restic, "forget", *known, "--group-by=host,tags", *kept, "--prune"],
    ]


def _step(
    argv: Sequence[str], confinement: Mapping[str, Any], variables: Mapping[str, str], folder: Path
) -> StepSpec:
    temporary = str(folder / "tmp")
    return {
        "argv": argv,
        "cwd": temporary,
        "env": {**variables, "TMPDIR": temporary},
        "isolation": confinement,
    }
