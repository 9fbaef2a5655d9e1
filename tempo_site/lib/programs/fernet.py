"""Encrypts and decrypts the texts of stdin, which is JSON: `{"keys": [...], "encrypt": [...], "decrypt": [...]}`.

Prints two lists, `encrypt` and `decrypt`, in the same order; a text that no key decrypts is null there.
"""

import json
import sys

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


def main() -> None:
    asked = json.load(sys.stdin)
    box = MultiFernet([Fernet(key) for key in asked["keys"]])
    done = {
        "encrypt": [box.encrypt(text.encode()).decode() for text in asked["encrypt"]],
        "decrypt": [_decrypted(box, text) for text in asked["decrypt"]],
    }
    json.dump(done, sys.stdout)


def _decrypted(box: MultiFernet, text: str) -> str | None:
    try:
        return box.decrypt(text.encode()).decode()
    except (InvalidToken, UnicodeDecodeError):
        return None


if __name__ == "__main__":
    main()
