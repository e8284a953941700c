#!/usr/bin/env python3
"""usage: subscriber.py NAME [TOPIC...]

Prints a line for each event: in order, and none is missed, whoever is killed or restarted. NAME is the cursor under which the daemon keeps how
far this subscriber has come. Events since the cursor was last stored come again after a crash."""
import os, sys, msgpack, zmq  # Debian: python3-zmq, python3-msgpack

if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
    print(__doc__, file=sys.stderr)
    sys.exit(2)
name, topics, requests = sys.argv[1], sys.argv[2:], 0
xdg = os.environ.get("XDG_RUNTIME_DIR")
runtime = os.environ.get("STENO_DIR") or (f"{xdg}/steno" if xdg else f"/tmp/steno-{os.getuid()}")
live, control = zmq.Context.instance().socket(zmq.SUB), zmq.Context.instance().socket(zmq.DEALER)
for topic in topics + ["steno.heartbeat"] if topics else [""]: live.subscribe(topic)
live.connect(f"ipc://{runtime}/events.out")
control.connect(f"ipc://{runtime}/control")

def ask(verb, **fields):
    """The daemon's reply; asks again while nobody answers."""
    global requests
    while True:
        requests += 1
        control.send(msgpack.packb({"verb": verb, "id": requests, **fields}))
        while control.poll(3000):
            reply = msgpack.unpackb(control.recv_multipart()[-1], strict_map_key=False)
            if reply.get("id") != requests: continue  # of a request that was given up
            if reply["ok"] or verb == "commit": return reply
            sys.exit(f"subscriber.py: {verb}: {reply['error']['message']}")

def handle(offset, body):
    event = msgpack.unpackb(body, strict_map_key=False)
    line = " ".join(str(event.get(field, "-")) for field in ("event", "provider", "model", "call_id"))
    sys.stdout.write(f"{offset} {line}\n")  # at once, so that a kill leaves no half of it
    sys.stdout.flush()

def commit():
    """Stores the cursor, or goes to where somebody else has moved it (steno replay)."""
    global last, stored
    reply = ask("commit", name=name, offset=last, was=stored)
    if reply["ok"]: stored = last
    elif reply["error"]["code"] in ("moved", "invalid"): last = stored = ask("cursor", name=name)["offset"]

last = stored = ask("cursor", name=name)["offset"]
while True:
    topic, offset, body = live.recv_multipart()
    offset = int.from_bytes(offset, "big")
    if topic == b"steno.heartbeat":  # once a second
        commit()
    elif offset == last + 1:
        handle(offset, body)
        last = offset
    while offset > last:  # something was missed, or did not match
        reply = ask("replay", after=last, topics=topics)
        if reply["first"] > last + 1: print(f"events {last + 1} to {reply['first'] - 1} have left the journal", file=sys.stderr)
        for number, _, body in reply["events"]: handle(number, body)
        last = reply["last"]
        commit()
        if reply["end"]: break
