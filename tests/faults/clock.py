#!/usr/bin/env python3
"""A wall clock that jumps a day forward and back under daemon and apps: order is by sequence and offset, and everybody goes on."""

import os
import pathlib
import sys

import zmq

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "system"))
import books
from daemon_peers import DaemonTest
from harness import BIN, main, wait_for

DAY = 86400
SHIM = BIN.parent / "tests" / "clock_shim.so"


class JumpingClock(DaemonTest):
    def setUp(self):
        super().setUp()
        self.clock = self.base / "clock"
        self.jump(0)
        self.env.update(LD_PRELOAD=str(SHIM), CLOCK_SHIM_FILE=str(self.clock))
        self.env["ASAN_OPTIONS"] = ":".join(filter(None, (os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0")))

    def jump(self, seconds):
        fresh = self.base / "clock.new"
        fresh.write_text(f"{seconds}\n")
        fresh.rename(self.clock)

    def expect_life(self, receipts, heartbeats):
        """Events are accepted, stored and flushed, and the heart beats, all from now on."""
        wanted = receipts.read().count() + 1000
        wait_for(lambda: receipts.read().count() >= wanted, "the app to go on")
        ((publisher, accepted),) = receipts.accepted.items()
        reply = self.control("flush", publisher=publisher, seq=accepted.last(), timeout_ms=20000)
        self.assertTrue(reply and reply["ok"], reply)
        while heartbeats.poll(0):
            heartbeats.recv_multipart()
        for _ in range(2):
            self.assertTrue(heartbeats.poll(10000), "no heartbeat in 10 s")
            heartbeats.recv_multipart()
        self.assertTrue(self.control("commit", name="test", offset=reply["last_offset"])["ok"])

    def test_a_day_forward_and_a_day_back_change_no_order_and_lose_nothing(self):
        daemon = self.start_daemon()
        heartbeats = self.socket(zmq.SUB, "events.out")
        self.addCleanup(heartbeats.close)
        heartbeats.subscribe(b"steno.heartbeat")
        app = self.start_writer("--bus", "--calls", "--rate", 3000, 10_000_000)
        receipts = books.Receipts(self.outputs[app.pid])
        for seconds in (0, DAY, -DAY, 0):
            self.jump(seconds)
            self.expect_life(receipts, heartbeats)
            opened = self.steno("emit", "--print", input='{"event":"test.opened"}\n').stdout
            self.wait_for_seqs(opened.split()[0], [1])
        app.kill()
        app.wait()
        wait_for(lambda: self.spools() == [], "its spool to be taken over")
        journal = books.Journal(self.dir).read()
        self.assertEqual(journal.missing(receipts.read()), {})
        self.assertEqual(self.sql("SELECT * FROM loss"), [])
        self.assertEqual(self.sql("SELECT 1 FROM call WHERE status = 'pending'"), [])
        (times,) = self.sql("SELECT max(time) - min(time) AS span FROM event")
        self.assertGreater(times["span"], 1.9 * DAY, "the clock did jump")
        wait_for(lambda: not self.sql("SELECT 1 FROM call LEFT JOIN cost USING (call_id) WHERE cost.call_id IS NULL LIMIT 1"), "steno-cost to catch up")
        self.assertEqual(self.stop(daemon), 0)


if __name__ == "__main__":
    main()
