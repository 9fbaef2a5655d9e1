#!/bin/sh
# channels 4.3.2: a WebSocket that stays open is dropped from its groups, without a word to anybody.
#
# A consumer joins a group when it connects and leaves it when it disconnects; one expects it to be a member between.
# The layer ends each membership `group_expiry` seconds (86,400 unless set) after the join. The setting is told for the
# layer of Redis, as a clean-up after crashes; the layer in memory has it too, where no crash leaves members behind. The
# socket stays open and answers, sends to its own channel still arrive, `group_send` raises nothing: a dashboard on a
# wall shows from the second day on what was true on the first. Time is read from the clock of the wall, so that a
# machine that starts in 1970 and then asks for the time drops everybody at once. Joining again starts a new day.
#
# Seen: "default 86400; at once: heard; later, connected: not heard; its own channel: heard; joined again: heard"
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip -q --disable-pip-version-check install channels==4.3.2 Django==5.2.19 asgiref==3.10.0
cat >ask.py <<'TEXT'
import asyncio

from django.conf import settings

EXPIRY_S = 2  # in place of a day
BACKEND = {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": {"group_expiry": EXPIRY_S}}
settings.configure(CHANNEL_LAYERS={"default": BACKEND})

from asgiref.testing import ApplicationCommunicator
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import InMemoryChannelLayer, get_channel_layer


class Page(AsyncWebsocketConsumer):
    groups = ["runs"]

    async def connect(self):
        await super().connect()
        Page.name = self.channel_name

    async def fact(self, event):
        await self.send("a fact")


async def main():
    layer = get_channel_layer()
    socket = ApplicationCommunicator(Page.as_asgi(), {"type": "websocket", "path": "/", "subprotocols": []})
    await socket.send_input({"type": "websocket.connect"})
    assert (await socket.receive_output())["type"] == "websocket.accept"

    async def hears(sending):
        await sending
        quiet = await socket.receive_nothing(0.3)
        if not quiet:
            await socket.receive_output()
        return "not heard" if quiet else "heard"

    fact = {"type": "fact"}
    at_once = await hears(layer.group_send("runs", fact))
    await asyncio.sleep(EXPIRY_S + 1.5)
    later = await hears(layer.group_send("runs", fact))
    own = await hears(layer.send(Page.name, fact))
    await layer.group_add("runs", Page.name)
    again = await hears(layer.group_send("runs", fact))
    print(
        f"default {InMemoryChannelLayer().group_expiry}; at once: {at_once}; later, connected: {later}; "
        f"its own channel: {own}; joined again: {again}"
    )
    await socket.send_input({"type": "websocket.disconnect", "code": 1000})
    await socket.wait()


asyncio.run(main())
TEXT
seen=$(venv/bin/python ask.py)
echo "$seen"
expected="default 86400; at once: heard; later, connected: not heard; its own channel: heard; joined again: heard"
[ "$seen" = "$expected" ] || { echo "this has changed" >&2; exit 1; }
