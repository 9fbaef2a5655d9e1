"""A real nginx with TLS before services, for tests: as people set it up, and as it is without any setting."""

import re
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.certificates import write_certificate
from tests.service import ROOT, free_port, wait_for

CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    ssl_certificate {folder}/certificate.pem;
    ssl_certificate_key {folder}/key.pem;
    {servers}
}}
"""
SERVER = """
    server {{
        listen 127.0.0.1:{port} ssl;
        {locations}
    }}
"""
DOCUMENTED = re.findall(
    r"^```nginx\n(.*?)^```", (ROOT / "docs" / "proxy.md").read_text(), re.DOTALL | re.MULTILINE
)
# What docs/proxy.md recommends: for a site, and below the path /tempo/.
AS_RECOMMENDED, BELOW_A_PATH = DOCUMENTED
BARE = "location / { proxy_pass http://127.0.0.1:8000; }"
# The path is taken off by the proxy, and there are no WebSockets.
PATH_TAKEN_OFF = (
    "location /tempo/ { proxy_pass http://127.0.0.1:8000/; proxy_set_header Host $http_host; }"
)


class Nginx:
    """Use as a context manager. `ports` are those of its servers, each an upstream and its locations."""

    def __init__(self, folder: Path, *servers: tuple[str, str]) -> None:
        self.folder = folder
        self.ports: list[int] = []
        written = ""
        for upstream, locations in servers:
            port = free_port()
            locations = locations.replace("http://127.0.0.1:8000", upstream)
            written += SERVER.format(port=port, locations=locations)
            self.ports.append(port)
        write_certificate(folder)
        (folder / "nginx.conf").write_text(
            CONFIGURATION.format(folder=folder, servers=written.strip())
        )

    def __enter__(self) -> Self:
        program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
        assert program, "there is no nginx; hint: install `nginx`"
        command = [program, "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")]
        command += ["-e", str(self.folder / "error.log")]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        wait_for((self.folder / "nginx.pid").exists, what="nginx")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait()
