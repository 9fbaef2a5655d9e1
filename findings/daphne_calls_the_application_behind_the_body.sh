#!/bin/sh
# daphne 4.2.3 with Twisted 26.10.0: an ASGI application is called when the last byte of a request's body has come, not when
# its headers have. ASGI's `receive()` with `more_body` lets an application look at the headers first: refuse a caller
# without a key, answer 413 for a `Content-Length`, or put an upload through an HMAC as it comes. Under daphne whatever
# it decides, it decides when the whole body has been kept, in memory or in a temporary file, for a caller whom it has
# not seen yet. `more_body` is told all the same, of pieces that are all there already.
# uvicorn 0.38.0 beside it calls the same application when the headers have come.
#
# Output seen, 2026-11-29:
#   daphne: called while half of the body was missing: False; behind it: True
#   uvicorn: called while half of the body was missing: True; behind it: True
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet daphne==4.2.3 twisted==26.10.0 uvicorn==0.38.0

cat > application.py <<'TEXT'
from pathlib import Path


async def application(scope, receive, send):
    if scope["type"] != "http":
        return
    Path("called").touch()
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})
TEXT
cat > ask.py <<'TEXT'
import socket
import subprocess
import sys
import time
from pathlib import Path

HALF = b"x" * 10_000
HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 20000\r\n\r\n"
LIMIT_S, PATIENCE_S = 60, 3


def connected(port):
    until = time.monotonic() + LIMIT_S
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
server, ask = sys.argv[1], sys.argv[2:]
command = [f"venv/bin/{server}", *[part.replace("PORT", str(port)) for part in ask]]
process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
try:
    called = Path("called")
    called.unlink(missing_ok=True)
    with connected(port) as connection:
        connection.sendall(HEAD + HALF)
        time.sleep(PATIENCE_S)
        early = called.exists()
        connection.sendall(HALF)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200"), answer
    print(f"{server}: called while half of the body was missing: {early}; behind it: {called.exists()}")
finally:
    process.terminate()
    process.wait()
TEXT
seen=$(
    venv/bin/python ask.py daphne -b 127.0.0.1 -p PORT application:application
    venv/bin/python ask.py uvicorn --port PORT --lifespan off application:application
)
echo "$seen"
expected="daphne: called while half of the body was missing: False; behind it: True
uvicorn: called while half of the body was missing: True; behind it: True"
[ "$seen" = "$expected" ] || { echo "this has changed" >&2; exit 1; }
