#!/bin/sh
# Twisted 26.10.0: a web server with nothing to do wakes up once a second, for ever. `HTTPFactory` keeps the text of the
# present second at hand for its access log, and does so whether or not there is one: without `logPath` the lines go to
# `twisted.python.log.logfile`, which hands them to nobody. Each request still has its line put together as well. daphne
# builds on it, and so does every ASGI service below it; of one that idles it was a seventh of the time on a core.
# An empty `startFactory` ends both.
#
# Seen: "an hour without a request: 3600 wakes; with an empty startFactory: 0"
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip -q --disable-pip-version-check install twisted==26.10.0
cat >ask.py <<'TEXT'
from twisted.internet.task import Clock
from twisted.web.http import HTTPFactory


class Quiet(HTTPFactory):
    def startFactory(self):
        pass


def wakes(make):
    clock = Clock()
    factory = make(reactor=clock)
    factory.doStart()
    count = 0
    for _ in range(3600):
        due = [call for call in clock.getDelayedCalls() if call.getTime() <= clock.seconds() + 1]
        count += len(due)
        clock.advance(1)
    return count


print(f"an hour without a request: {wakes(HTTPFactory)} wakes; with an empty startFactory: {wakes(Quiet)}")
TEXT
seen=$(venv/bin/python ask.py)
echo "$seen"
expected="an hour without a request: 3600 wakes; with an empty startFactory: 0"
[ "$seen" = "$expected" ] || { echo "this has changed" >&2; exit 1; }
