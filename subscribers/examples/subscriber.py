#!/usr/bin/env python3
"""One line an event, from the journal's beginning on, no hole, no double. Usage: subscriber.py [TOPIC...]"""
import os, sys, msgpack, zmq  # Debian: python3-zmq, python3-msgpack

xdg = os.environ.get("XDG_RUNTIME_DIR")
runtime = os.environ.get("STENO_DIR") or (f"{xdg}/steno" if xdg else f"/tmp/steno-{os.getuid()}")
topics, last, request = sys.argv[1:], 0, 0
live, control = zmq.Context.instance().socket(zmq.SUB), zmq.Context.instance().socket(zmq.DEALER)
for topic in topics + ["steno.heartbeat"] if topics else [""]: live.subscribe(topic)
live.connect(f"ipc://{runtime}/events.out")
control.connect(f"ipc://{runtime}/control")

def handle(offset, body):
    event = msgpack.unpackb(body, strict_map_key=False)
    print(offset, event["event"], event.get("provider"), event.get("model"), event.get("call_id"), flush=True)

while True:
    topic, offset, body = live.recv_multipart()
    offset = int.from_bytes(offset, "big")
    if offset == last + 1 and topic != b"steno.heartbeat":
        handle(offset, body)
        last = offset
    while offset > last:  # something was missed, or did not match: replay
        request += 1
        control.send(msgpack.packb({"verb": "replay", "id": request, "after": last, "topics": topics}))
        if not control.poll(3000): break  # nobody there: the next heartbeat is a new occasion
        reply = msgpack.unpackb(control.recv_multipart()[-1], strict_map_key=False)
        if reply.get("id") != request or not reply["ok"]: break  # or a late reply
        for number, _, event in reply["events"]: handle(number, event)
        last = reply["last"]
