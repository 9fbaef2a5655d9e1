"""Short-lived programs that do what would leave a library in `web`; the standard library and that library alone.

`fernet` encrypts and decrypts, `pbkdf2` derives the key of a password, `guide` writes a page of the guide.
"""
