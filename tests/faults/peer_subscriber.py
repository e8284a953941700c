"""A subscriber written from EVENTS.md alone: live stream, replay, and a cursor kept by the daemon.

    peer_subscriber.py FOLDER CURSOR FILE

Appends the offset of each event to FILE when it has handled it, and only then moves its cursor.
"""

import os
import sys

import msgpack
import zmq

COMMIT_EVERY = 1000  # events

folder, name, path = sys.argv[1:]
handled = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
context = zmq.Context()
live, control = context.socket(zmq.SUB), context.socket(zmq.DEALER)
live.subscribe(b"")
live.connect(f"ipc://{folder}/events.out")
control.connect(f"ipc://{folder}/control")
last = committed = request = 0


def ask(verb, **fields):
    """The reply to this request, or None if nobody answered in time."""
    global request
    request += 1
    control.send(msgpack.packb({"verb": verb, "id": request, **fields}))
    while control.poll(2000):
        reply = msgpack.unpackb(control.recv_multipart()[-1], strict_map_key=False)
        if reply.get("id") == request:
            return reply if reply["ok"] else None
    return None


def handle(offsets):
    global last
    if offsets:
        os.write(handled, b"".join(b"%d\n" % offset for offset in offsets))
        last = max(last, offsets[-1])


def commit():
    global committed
    if ask("commit", name=name, offset=last):
        committed = last


def replay():
    """Moves the cursor on the way, too: a life may be too short to catch up in."""
    global last
    while reply := ask("replay", after=last):
        handle([offset for offset, _, _ in reply["events"]])
        last = max(last, reply["last"])
        if last - committed >= COMMIT_EVERY:
            commit()
        if reply["end"]:
            return


def receive():
    """What is in the socket now, after waiting for the first: [(offset, is an event)]."""
    found = []
    flags = 0
    try:
        while len(found) < COMMIT_EVERY:
            topic, offset, _ = live.recv_multipart(flags)
            found.append((int.from_bytes(offset, "big"), topic != b"steno.heartbeat"))
            flags = zmq.NOBLOCK
    except zmq.Again:
        pass
    return found


while not (stored := ask("cursor", name=name)):
    pass
last = committed = stored["offset"]
replay()
while True:
    fresh, end = [], last
    for offset, is_event in receive():
        if is_event and offset == end + 1:
            fresh.append(offset)
            end = offset
        elif offset > end:
            handle(fresh)
            replay()
            fresh, end = [], last
    handle(fresh)
    if last > committed and (last - committed >= COMMIT_EVERY or not fresh):
        commit()
