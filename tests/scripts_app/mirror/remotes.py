"""Real places to push to: git's own program behind https with a token, and an sshd that lets one key in."""

import base64
import os
import ssl
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from tests.certificates import write_certificate
from tests.runs_app.launcher.servers import answers
from tests.service import free_port, wait_for

BACKEND = "/usr/lib/git-core/git-http-backend"
TOKEN = "a-secret-token"


def bare(folder: Path) -> Path:
    """A new repository that may be pushed to."""
    subprocess.run(["git", "init", "--quiet", "--bare", str(folder)], check=True)
    subprocess.run(["git", f"--git-dir={folder}", "config", "http.receivepack", "true"], check=True)
    return folder


class Https:
    """Serves `there.git` of its folder to who shows the token; `seen` are the command lines while it was asked."""

    def __init__(self, folder: Path, *, before: Callable[[], object] = lambda: None) -> None:
        self.folder, self.before = folder, before
        self.seen: set[str] = set()
        write_certificate(folder)
        self.certificate = folder / "certificate.pem"
        self.repository = bare(folder / "there.git")
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.answer(self)

            do_POST = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, folder / "key.pem")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.address = f"https://127.0.0.1:{self.server.server_port}/there.git"

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.seen |= command_lines()
        self.before()
        shown = request.headers.get("Authorization", "")
        expected = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
        if shown != f"Basic {expected}":
            request.send_response(401)
            request.send_header("WWW-Authenticate", 'Basic realm="git"')
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        path, _, query = request.path.partition("?")
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        done = subprocess.run(
            [BACKEND],
            input=body,
            capture_output=True,
            env={
                "GIT_PROJECT_ROOT": str(self.folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REMOTE_USER": "ann",
                "REQUEST_METHOD": request.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": request.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "PATH": os.environ["PATH"],
            },
            check=False,
        )
        head, _, rest = done.stdout.partition(b"\r\n\r\n")
        said = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        request.send_response(int(said.pop("Status", "200 OK").split()[0]))
        for name, value in {**said, "Content-Length": str(len(rest))}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(rest)


class Ssh:
    """An sshd of its own that lets root in with one key, and runs what git asks for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.repository = bare(folder / "there.git")
        self.address = f"ssh://root@127.0.0.1:{self.port}{self.repository}"
        self.key = folder / "id"
        for key in ("host", "host-2", "id", "other"):
            make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)]
            subprocess.run(make, check=True)
        Path("/run/sshd").mkdir(exist_ok=True)
        self.start("host")

    def start(self, host_key: str) -> None:
        options = {
            "ListenAddress": f"127.0.0.1:{self.port}",
            "HostKey": self.folder / host_key,
            "PidFile": "none",
            "AuthorizedKeysFile": self.folder / "id.pub",
            "StrictModes": "no",
            "UsePAM": "no",
            "PermitRootLogin": "prohibit-password",
        }
        config = self.folder / "config"
        config.write_text("".join(f"{name} {value}\n" for name, value in options.items()))
        self.process = subprocess.Popen(
            ["/usr/sbin/sshd", "-D", "-e", "-f", config], stderr=subprocess.DEVNULL
        )
        wait_for(lambda: answers(self.port), what="sshd")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


def command_lines() -> set[str]:
    """What everyone on the machine can see of its processes."""
    found = set()
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.add(place.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:  # it has ended
            continue
    return found
