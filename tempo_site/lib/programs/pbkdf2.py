"""Derives a key from the password of stdin, which is JSON: `{"password": ..., "salt": ..., "rounds": ...}`.

Prints the key as hexadecimal digits: PBKDF2 with SHA-256.
"""

import hashlib
import json
import sys


def main() -> None:
    asked = json.load(sys.stdin)
    password, salt = asked["password"].encode(), asked["salt"].encode()
    key = hashlib.pbkdf2_hmac("sha256", password, salt, asked["rounds"])
    sys.stdout.write(key.hex())


if __name__ == "__main__":
    main()
