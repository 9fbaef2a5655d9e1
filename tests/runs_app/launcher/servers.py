"""Real servers for scripts to speak to, where this machine has them: sshd, PostgreSQL."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.runs_app.launcher.harness import wait_for
from tests.service import free_port

SSHD_IS_HERE = all(map(shutil.which, ("ssh", "/usr/sbin/sshd", "git")))
_POSTGRES = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/nowhere"))
POSTGRES_IS_HERE = (_POSTGRES / "initdb").exists()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Sshd:
    """An sshd of our own that lets root in with one key; what may be fetched from it lies in its folder."""

    def __init__(self, folder: Path, files: Path, *, user: int) -> None:
        self.folder, self.port, self.user = folder, free_port(), user
        folder.chmod(0o755)
        for key in (folder / "host", folder / "id"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        self._give_key(files / ".ssh")
        Path("/run/sshd").mkdir(exist_ok=True)
        options = {
            "ListenAddress": f"127.0.0.1:{self.port}", "HostKey": folder / "host", "PidFile": "none",
            "AuthorizedKeysFile": folder / "id.pub", "StrictModes": "no", "UsePAM": "no",
            "PermitRootLogin": "prohibit-password", "Subsystem": "sftp internal-sftp",
        }  # fmt: skip
        config = folder / "config"
        config.write_text("".join(f"{name} {value}\n" for name, value in options.items()))
        self.process = subprocess.Popen(
            ["/usr/sbin/sshd", "-D", "-e", "-f", config], stderr=subprocess.DEVNULL
        )
        self._offer_files()
        wait_for(lambda: answers(self.port))

    def _give_key(self, home: Path) -> None:
        """The script's own, as ssh wants them; it finds them by the home in passwd."""
        home.mkdir(mode=0o700)
        shutil.copy(self.folder / "id", home / "id_ed25519")
        host_key = (self.folder / "host.pub").read_text()
        (home / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {host_key}")
        (home / "config").write_text(
            f"Host near\n HostName 127.0.0.1\n Port {self.port}\n User root\n BatchMode yes\n"
        )
        (home / "id_ed25519").chmod(0o600)
        for path in (home, *home.iterdir()):
            os.chown(path, self.user, self.user)

    def _offer_files(self) -> None:
        repository = self.folder / "repository"
        repository.mkdir()
        for folder in (self.folder, repository):
            (folder / "greeting").write_text("hello\n")
        commit = "git init -q . && git add greeting && git -c user.name=a -c user.email=a@b commit -qm one"
        subprocess.run(commit, shell=True, check=True, cwd=repository)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


@contextlib.contextmanager
def postgres(name: str) -> Iterator[int]:
    """A server of our own with a role of this name; its port. Whoever comes over the network is believed."""
    owner = pwd.getpwnam("nobody")
    folder, port = Path(tempfile.mkdtemp(prefix="tempo-postgres-")), free_port()
    os.chown(folder, owner.pw_uid, owner.pw_gid)

    def run(program: str, *options: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [_POSTGRES / program, "-D", folder / "data", *options],
            user=owner.pw_uid,
            group=owner.pw_gid,
            extra_groups=[],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    assert run("initdb", "-A", "trust", "-U", name, "--no-sync").wait() == 0
    server = run("postgres", "-k", "", "-h", "127.0.0.1", "-p", str(port), "-F")
    wait_for(lambda: answers(port))
    yield port
    server.send_signal(signal.SIGINT)
    server.wait()
    shutil.rmtree(folder)
