# /// script
# requires-python = ">=3.8"
# dependencies = []
#
# [tool.tempo]
# title = "Certificate expiry"
# description = "Fails some weeks before the TLS certificate of one of your servers runs out, or if it is not valid."
# cron = "0 8 * * *"
#
# [tool.tempo.parameters]
# hosts = {type = "text", default = "example.org", required = true, help = "Like example.org, mail.example.org:993."}
# days = {type = "int", default = 21, min = 0, max = 1000, help = "Warn when a certificate is valid for fewer days."}
# timeout_s = {type = "float", default = 10, min = 1, max = 120, help = "Seconds to wait for a server."}
# ///
"""Look at TLS certificates. Exit code 0: all are good. 1: at least one is not, or its server cannot be reached."""

import os
import re
import socket
import ssl
import sys
import time


def main() -> None:
    hosts = [
        host.strip()
        for host in os.environ.get("TEMPO_PARAM_HOSTS", "example.org").split(",")
        if host.strip()
    ]
    if not hosts:
        sys.exit("There is no server to look at: the parameter `hosts` is empty.")
    problems = [problem for problem in map(look_at, hosts) if problem]
    if problems:
        sys.exit("\n".join(problems))
    print("All certificates are good.")


def look_at(host: str) -> str:
    """Print how long a server's certificate is valid; return what is wrong with it, or an empty text."""
    least_days = int(os.environ.get("TEMPO_PARAM_DAYS", "21"))
    if not re.fullmatch(r"[\w.-]+(:[0-9]{1,5})?", host):
        return f"`{host}` is no server: write example.org, or example.org:443 with its port."
    try:
        days = days_left(host)
    except ssl.SSLCertVerificationError as error:
        return f"{host}: the certificate is not valid: {error.verify_message}"
    except (OSError, UnicodeError, OverflowError) as error:
        return f"{host}: cannot be reached: {error}"
    print(f"{host}: valid for {days} days")
    return (
        f"{host}: valid for {days} days only, fewer than {least_days}" if days < least_days else ""
    )


def days_left(host: str) -> int:
    """Whole days until the certificate of `name` or `name:port` runs out. A connection as browsers make it."""
    name, _, port = host.partition(":")
    timeout_s = float(os.environ.get("TEMPO_PARAM_TIMEOUT_S", "10"))
    context = ssl.create_default_context()
    plain = socket.create_connection((name, int(port or "443")), timeout=timeout_s)
    with plain, context.wrap_socket(plain, server_hostname=name) as secured:
        certificate = secured.getpeercert() or {}
    return int((ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()) // 86400)


if __name__ == "__main__":
    main()
