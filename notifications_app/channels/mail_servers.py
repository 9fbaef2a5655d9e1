"""How mail leaves: what security a connection to a port has."""

SSL_PORTS = frozenset({465, 8465, 443})


def security_of(security: str, port: int) -> str:
    """Return starttls, ssl or none for a connection; `auto` goes by the port."""
    if security != "auto":
        return security
    return "ssl" if port in SSL_PORTS else "starttls"
