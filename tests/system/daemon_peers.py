"""What the daemon's tests publish with: a peer written from EVENTS.md alone, and the C program spool_writer."""

import os
import pathlib
import time
import uuid

import msgpack
import zmq

from harness import BIN, SystemTest, wait_for, wait_for_count

SPOOL_WRITER = BIN.parent / "tests" / "spool_writer"


def event(name="test.event", **fields):
    return {"v": 1, "event": name, "time": time.time(), **fields}


def pack_header(publisher, seq):
    return msgpack.packb([1, publisher, seq])


class Peer:
    """A publisher without a spool, in another language."""

    def __init__(self, test, publisher=None):
        self.test = test
        self.publisher = publisher or uuid.uuid4().bytes
        context = test.context = getattr(test, "context", None) or zmq.Context()
        self.socket = context.socket(zmq.PUB)
        self.socket.linger = 2000
        self.socket.sndhwm = 0
        test.addCleanup(self.socket.close)
        self.connect()

    def connect(self):
        """Publishes until something arrives: PUB drops what it sends before it knows of the subscriber."""
        monitor = self.socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
        self.socket.connect(f"ipc://{self.test.dir}/events.in")
        assert monitor.poll(30000), "no connection to events.in"
        self.socket.disable_monitor()
        monitor.close(0)
        marker = f"test.hello-{uuid.uuid4().hex[:8]}"

        def arrived():
            self.two(event(marker))
            return self.test.sql("select 1 from event where event = ?", marker)

        wait_for(arrived, "the peer's first event")

    def raw(self, *frames):
        self.socket.send_multipart(frames)

    def two(self, fields):
        self.raw(b"any.topic", msgpack.packb(fields))

    def send(self, seq, fields=None, body=None):
        self.raw(b"any.topic", pack_header(self.publisher, seq), body if body is not None else msgpack.packb(fields or event(n=seq)))

    def rows(self):
        return self.test.journal(self.publisher)


class DaemonTest(SystemTest):
    def journal(self, publisher):
        """(offset, seq) of a publisher's stored events."""
        if isinstance(publisher, str):
            publisher = bytes.fromhex(publisher)
        return [
            (row["offset"], row["seq"])
            for row in self.sql(
                "select offset, seq from event join publisher on publisher.id = event.publisher where uuid = ? order by offset", publisher
            )
        ]

    def seqs(self, publisher):
        return [seq for _, seq in self.journal(publisher)]

    def wait_for_seqs(self, publisher, expected):
        expected = list(expected)
        wait_for_count(lambda: len(self.seqs(publisher)), len(expected), f"{len(expected)} events of {publisher}")
        self.assertEqual(self.seqs(publisher), expected)

    def assert_dense(self):
        """Offsets neither repeat nor skip."""
        low, high, count = self.sql("select min(offset) low, max(offset) high, count(*) n from event")[0].values()
        self.assertEqual((low, high), (1, count))

    def status(self):
        return self.control("status")

    def writer(self, *args, check=True):
        """Runs spool_writer to its end; (publisher, [seq]) of what it was told is accepted."""
        result = self.run_program(SPOOL_WRITER, *args, check=False)
        if check:
            self.assertIn(result.returncode, (0, -9), result.stderr)
        return accepted(result.stdout)

    def start_writer(self, *args):
        """Starts spool_writer in the background; its accepted events go to a file, see accepted_by."""
        self.outputs = getattr(self, "outputs", {})
        path = self.base / f"accepted-{len(self.outputs)}"
        with open(path, "wb") as output:
            process = self.start(SPOOL_WRITER, *args, stdout=output, stdin=-1)
        self.outputs[process.pid] = path
        return process

    def accepted_by(self, process):
        return accepted(self.outputs[process.pid].read_text())

    def flush(self, **fields):
        reply = self.control("flush", **fields)
        self.assertTrue(reply and reply["ok"], reply)
        return reply["last_offset"]

    def spools(self):
        folder = self.dir / "spool"
        return sorted(p.name for p in folder.iterdir() if len(p.name) == 32) if folder.exists() else []


def accepted(text):
    pairs = [line.split() for line in text.splitlines() if line.count(" ") == 1]
    return (pairs[0][0] if pairs else None), [int(seq) for _, seq in pairs]
