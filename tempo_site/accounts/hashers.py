"""Django's hasher of passwords, which needs no OpenSSL in the process: a program of its own derives the key there."""

import base64
import hashlib
import json
import subprocess
import sys
from pathlib import Path

from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.views.decorators.debug import sensitive_variables

TIMEOUT_S = 60.0
_PROGRAM = Path(__file__).parent.parent / "lib" / "programs" / "pbkdf2.py"


class PasswordHasher(PBKDF2PasswordHasher):
    """Stores what Django's own stores. OpenSSL would take 3.5 MB of `web` for good, for a log-in now and then."""

    @sensitive_variables()
    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        if hasattr(hashlib, "pbkdf2_hmac"):
            return super().encode(password, salt, iterations)
        self._check_encode_args(password, salt)  # type: ignore[attr-defined]  # the stubs lack it
        rounds = iterations or self.iterations
        key = base64.b64encode(_key_by_program(password, salt, rounds)).decode("ascii")
        return f"{self.algorithm}${rounds}${salt}${key}"


@sensitive_variables()
def _key_by_program(password: str, salt: str, rounds: int) -> bytes:
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(_PROGRAM)],
        input=json.dumps({"password": password, "salt": salt, "rounds": rounds}),
        capture_output=True,
        check=True,
        cwd="/",
        env={"LANG": "C.UTF-8"},
        encoding="utf-8",
        timeout=TIMEOUT_S,
    )
    return bytes.fromhex(done.stdout)
