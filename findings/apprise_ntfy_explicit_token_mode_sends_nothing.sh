#!/bin/sh
# apprise 2.3.0: an ntfy address that names its way of logging in, and has no token, is valid and never sends.
#
# `ntfy://host/topic` works without any token, as most own servers have it. Saying the same with more care,
# `ntfy://host/topic?auth=token`, gives an object like any other: nothing is refused when it is made, and its address is
# written back as it was. `notify()` is then false without a request, whatever the server would have said, and the reason
# is only in the log. A form that always writes the option, and leaves the token to those who need one, makes channels
# that are silent for ever. With a token the same address sends.
#
# Seen: "no option: made, told True, 1 request", "auth=token: made, told False, 0 requests",
# "auth=token with a token: made, told True, 1 request"
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check apprise==2.3.0 2>pip.err || { cat pip.err >&2; exit 2; }
cat >ask.py <<'TEXT'
import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import apprise

logging.disable()
requests = []


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        requests.append(self.path)
        body = json.dumps({"id": "1", "event": "message"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
host = f"127.0.0.1:{server.server_port}"
for name, address in (
    ("no option", f"ntfy://{host}/topic"),
    ("auth=token", f"ntfy://{host}/topic?auth=token"),
    ("auth=token with a token", f"ntfy://tk_example@{host}/topic?auth=token"),
):
    requests.clear()
    service = apprise.Apprise.instantiate(address)
    made = "made" if service is not None else "refused"
    told = bool(service and service.notify(body="text", title="title"))
    print(f"{name}: {made}, told {told}, {len(requests)} request{'' if len(requests) == 1 else 's'}")
TEXT
seen=$(venv/bin/python ask.py)
echo "$seen"
expected="no option: made, told True, 1 request
auth=token: made, told False, 0 requests
auth=token with a token: made, told True, 1 request"
[ "$seen" = "$expected" ] || { echo "this has changed" >&2; exit 1; }
