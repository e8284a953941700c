#!/usr/bin/env python3
"""usage: publisher.py MODEL < TEXTS

An app that logs its own calls without libsteno: one for each line, of a model that says it backwards. The daemon stores each event once and in order,
and the app knows when it has. The daemon may be started later, or killed and restarted: until then, the events wait here, in memory."""
import collections, os, socket, sys, time, uuid, msgpack, zmq  # Debian: python3-zmq, python3-msgpack

class Publisher:
    WAITING_MAX = 10_000  # events that the daemon has not confirmed; beyond it the oldest are given up, and the daemon counts them as lost

    def __init__(self):
        xdg = os.environ.get("XDG_RUNTIME_DIR")
        self.runtime = os.environ.get("STENO_DIR") or (f"{xdg}/steno" if xdg else f"/tmp/steno-{os.getuid()}")
        self.id, self.seq, self.requests = uuid.uuid4().bytes, 0, 0  # a new id for each life of a process, and after fork()
        self.waiting, self.bus = collections.deque(maxlen=self.WAITING_MAX), None
        self.control = zmq.Context.instance().socket(zmq.DEALER)
        self.control.connect(f"ipc://{self.runtime}/control")
        self._connect()

    def _connect(self):
        """A connection serves one life of the daemon. ZeroMQ would reconnect by itself, and send new events before those that were lost on the way."""
        if self.bus: self.bus.close()
        self.bus, self.up, self.tried = zmq.Context.instance().socket(zmq.XPUB), False, time.monotonic()
        self.bus.sndhwm, self.bus.reconnect_ivl, self.bus.linger = 0, -1, 0
        self.bus.connect(f"ipc://{self.runtime}/events.in")

    def _follow(self):
        """XPUB shows that the daemon subscribes (1: it is there) and no longer does (0: it is gone)."""
        while self.bus.poll(0):
            self.up = self.bus.recv()[0] == 1
            for frames in self.waiting if self.up else (): self.bus.send_multipart(frames)
        if not self.up and time.monotonic() - self.tried > 0.5: self._connect()

    def log(self, event):
        """Never waits."""
        self._follow()
        self.seq += 1
        frames = [event["event"].encode(), msgpack.packb([1, self.id, self.seq]), msgpack.packb(event)]
        self.waiting.append(frames)
        if self.up: self.bus.send_multipart(frames)

    def flush(self, seconds):
        """True once everything logged so far is stored; False: not in time, or something is lost. What is stored need not wait here any more, so call it
        now and then."""
        end, seq = time.monotonic() + seconds, self.seq
        while time.monotonic() < end:
            self._follow()
            self.requests += 1
            self.control.send(msgpack.packb({"verb": "flush", "id": self.requests, "publisher": self.id, "seq": seq, "timeout_ms": 500}))
            while self.control.poll(600):
                reply = msgpack.unpackb(self.control.recv_multipart()[-1])
                if reply["id"] == self.requests: break  # others are late
            else: continue  # no daemon
            if reply["ok"]:
                while self.waiting and msgpack.unpackb(self.waiting[0][1])[2] <= seq: self.waiting.popleft()
                return reply["losses"] == 0
        return False

def call(publisher, model, text):
    common = {"v": 1, "call_id": str(uuid.uuid4()), "call_type": "completion", "provider": "backwards", "model": model, "start_time": time.time(),
              "messages": [{"role": "user", "content": text}], "app": {"name": "publisher.py", "pid": os.getpid(), "host": socket.gethostname()}}
    publisher.log({**common, "event": "pre_api_call", "time": time.time(), "attempt": 1})
    answer = {"choices": [{"index": 0, "message": {"role": "assistant", "content": text[::-1]}, "finish_reason": "stop"}]}
    publisher.log({**common, "event": "success", "time": time.time(), "end_time": time.time(), "response": answer, "finish_reason": "stop", "attempts": 1,
                   "usage": {"prompt_tokens": len(text), "completion_tokens": len(text), "total_tokens": 2 * len(text)}})

if __name__ == "__main__":
    if len(sys.argv) != 2: sys.exit(print(__doc__, file=sys.stderr) or 2)
    publisher = Publisher()
    for line in sys.stdin: call(publisher, sys.argv[1], line.rstrip("\n"))
    stored = publisher.flush(30)
    print(f"{publisher.seq} events are stored" if stored else f"not all of {publisher.seq} events could be stored")
    sys.exit(not stored)
