"""Packages whose code tells a listener of the test, over the network, when it runs and what it can reach."""

import contextlib
import json
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests import local_index

WHEEL, SOURCE = "tempo-spy", "tempo-spy-source"
_PROBE = """
import json, os, socket, sys
DATA, PORT = {data!r}, {port}
def can(act):
    try:
        act()
    except OSError:
        return False
    return True
def read(path):
    return can(lambda: open(os.path.join(DATA, path), "rb").close())
def write(path):
    return can(lambda: os.close(os.open(os.path.join(DATA, path), os.O_WRONLY | os.O_CREAT)))
reached = [name for name in ("secret_key", "tempo.sqlite3") if read(name)]
reached += [name for name in ("", "scripts", "runs") if can(lambda: os.listdir(os.path.join(DATA, name)))]
reached += [name for name in ("envs/planted", "scripts/planted", "run/planted", "planted") if write(name)]
reached += [name for name in os.environ if name.startswith("PYSCHED") or "s3cret" in os.environ[name]]
told = {{"step": STEP, "argv": sys.argv[:1], "uid": os.getuid(), "reached": reached}}
with socket.create_connection(("127.0.0.1", PORT), timeout=5) as listener:
    listener.sendall(json.dumps(told).encode())
"""


class Listener(socketserver.ThreadingTCPServer):
    """Keeps what it is told in `told`."""

    daemon_threads = True

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Listener)
        self.server.told.append(json.loads(self.rfile.read()))


@contextlib.contextmanager
def listening() -> Iterator[Listener]:
    """A listener for as long as the context lasts."""
    with Listener() as listener:
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield listener
        finally:
            listener.shutdown()
            thread.join()


def add(index: Path, data: Path, listener: Listener, *, version: str = "1.0") -> None:
    """Put both packages into an index: a wheel that runs at each start of its Python, and one built from source."""
    probe = _PROBE.format(data=str(data), port=listener.server_address[1])
    local_index.add_wheel(
        index,
        WHEEL,
        version,
        extra={
            "tempo_spy_start.pth": "import tempo_spy_start\n",
            "tempo_spy_start.py": f"STEP = 'start'\n{probe}",
            "sitecustomize.py": f"STEP = 'sitecustomize'\n{probe}",
        },
    )
    source = f"STEP = 'backend'\n{probe}"
    local_index.add_source(index, SOURCE, version, act=f"exec({source!r}, {{}})")
