"""A package index of our own: tiny wheels made on the spot, served on 127.0.0.1, so that builds need no network."""

import base64
import contextlib
import functools
import hashlib
import http.server
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

GREETING = "tempo-greeting"
SILENT = "tempo-silent"  # a package whose page never comes
SLOW = "tempo-slow"  # a package whose page comes byte by byte without an end
BYTE_EVERY_S = 0.2
FOREVER_S = 60.0
_BACKEND = """
def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    {act}
    import zipfile
    name = "{module}-{version}-py3-none-any.whl"
    info = "{module}-{version}.dist-info"
    with zipfile.ZipFile(wheel_directory + "/" + name, "w") as archive:
        archive.writestr("{module}.py", "def hello():\\n    return 'built from source'\\n")
        archive.writestr(info + "/METADATA", "Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
        archive.writestr(info + "/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr(info + "/RECORD", "")
    return name
"""


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files without a log, and the pages of two packages as bad indexes do."""

    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        if f"/{SILENT}/" in self.path:
            threading.Event().wait(FOREVER_S)
        elif f"/{SLOW}/" in self.path:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            with contextlib.suppress(OSError):
                for _ in range(round(FOREVER_S / BYTE_EVERY_S)):
                    self.wfile.write(b" ")
                    threading.Event().wait(BYTE_EVERY_S)
        else:
            super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Yield the URL (for `PYSCHED_PACKAGE_INDEX`) of an index with `tempo-greeting` 1.0 and 1.1."""
    for version in ("1.0", "1.1"):
        add_wheel(folder, GREETING, version)
    handler = functools.partial(_QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/simple/"
        finally:
            server.shutdown()
            thread.join()


def add_wheel(
    folder: Path,
    name: str,
    version: str,
    *,
    requires: str = "",
    advertised_sha256: str = "",
    ballast_mb: int = 0,
    extra: Mapping[str, str] = MappingProxyType({}),
) -> Path:
    """Add a pure wheel whose module has a `hello()`; `advertised_sha256` replaces the true hash in the index.

    `extra` are more files of it, texts by name.
    """
    module = name.replace("-", "_")
    wheel = folder / "files" / f"{module}-{version}-py3-none-any.whl"
    wheel.parent.mkdir(parents=True, exist_ok=True)
    _write_wheel(wheel, name, version, requires, ballast_mb, extra)
    digest = advertised_sha256 or hashlib.sha256(wheel.read_bytes()).hexdigest()
    add_link(folder, name, f"/files/{wheel.name}#sha256={digest}")
    return wheel


def add_source(folder: Path, name: str, version: str, *, act: str = "pass") -> Path:
    """Add a package without a wheel or dependencies, whose build executes `act`, a line of Python, first."""
    module = name.replace("-", "_")
    members = {
        "pyproject.toml": f'[project]\nname = "{name}"\nversion = "{version}"\n'
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": _BACKEND.format(act=act, module=module, name=name, version=version),
        "PKG-INFO": f"Metadata-Version: 2.2\nName: {name}\nVersion: {version}\n",
    }
    archive = folder / "files" / f"{module}-{version}.tar.gz"
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w:gz") as sdist:
        for path, text in members.items():
            about = tarfile.TarInfo(f"{module}-{version}/{path}")
            about.size = len(text.encode())
            sdist.addfile(about, io.BytesIO(text.encode()))
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    add_link(folder, name, f"/files/{archive.name}#sha256={digest}")
    return archive


def add_link(folder: Path, name: str, target: str) -> None:
    """Add a link to a package's page (PEP 503)."""
    page = folder / "simple" / name / "index.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    file_name = target.rpartition("/")[2].partition("#")[0]
    with page.open("a") as file:
        file.write(f'<a href="{target}">{file_name}</a>\n')


def _write_wheel(
    wheel: Path, name: str, version: str, requires: str, ballast_mb: int, extra: Mapping[str, str]
) -> None:
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    requirement = f"Requires-Dist: {requires}\n" if requires else ""
    members = {
        **extra,
        f"{module}.py": f'def hello():\n    return "hello from {name} {version}"\n',
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requirement}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tempo-tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={_hash(text)},{len(text)}\n" for path, text in members.items())
    members[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in members.items():
            # ZipInfo has a fixed date, so that equal wheels have equal hashes.
            archive.writestr(zipfile.ZipInfo(path), text)
        if ballast_mb:
            ballast = b"\0" * (ballast_mb * 2**20)
            info_of_ballast = zipfile.ZipInfo(f"{module}_data.bin")
            archive.writestr(info_of_ballast, ballast, zipfile.ZIP_DEFLATED)


def _hash(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
