#!/usr/bin/env python3
"""After a power cut the write-ahead log ends somewhere: cut off or damaged at a random place, with whatever the spools still have.

    power.py [--seeds N] [--seed FIRST]

No power is cut: both processes are killed, and the tail of log.db-wal is destroyed. The log must be consistent (each publisher's `next` goes with its
events, each call with its end), and what is missing must be stored from the spool again or be a row in `loss`.
"""

import argparse
import os
import pathlib
import random
import signal
import sqlite3
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "system"))
from daemon_peers import DaemonTest
from harness import main, wait_for

options = None
PAGE_BYTES = 8192


class PowerCut(DaemonTest):
    def synced_bytes(self):
        """What of the write-ahead log is on the disk for certain: SQLite syncs it before it copies anything back, and notes in log.db-shm how many
        frames that were ("WAL-Index File Format", nBackfillAttempted)."""
        (frames,) = struct.unpack_from("=I", (self.dir / "log.db-shm").read_bytes(), 128)
        return 32 + frames * (24 + PAGE_BYTES)

    def destroy_tail(self, rng):
        """Cuts the file, or fills its end with other bytes, from a random place on that no sync has passed."""
        path = self.dir / "log.db-wal"
        size = path.stat().st_size
        if self.synced_bytes() >= size:
            return
        at = rng.randrange(self.synced_bytes(), size)
        if rng.random() < 0.5:
            os.truncate(path, at)
        else:
            with open(path, "r+b") as file:
                file.seek(at)
                file.write(rng.randbytes(size - at) if rng.random() < 0.5 else bytes(size - at))

    def check_consistent(self):
        with sqlite3.connect(self.dir / "log.db") as log:
            self.assertEqual(log.execute("pragma integrity_check").fetchall(), [("ok",)])
        self.assert_dense_or_empty()
        for row in self.sql("select next, (select count(*) from event where publisher = publisher.id) n,"
                            " (select coalesce(max(seq), 0) from event where publisher = publisher.id) last from publisher where app = 'spool_writer'"):
            self.assertEqual((row["next"], row["n"]), (row["last"] + 1, row["last"]))
        (ends,) = self.sql("select (select count(*) from call where status = 'success') calls, (select count(*) from event where event = 'success') events") or [{"calls": 0, "events": 0}]
        self.assertEqual(ends["calls"], ends["events"])

    def assert_dense_or_empty(self):
        rows = self.sql("select count(*) n, coalesce(max(offset), 0) last from event")
        if rows:
            self.assertEqual(rows[0]["n"], rows[0]["last"])

    def cut(self, seed):
        rng = random.Random(seed)
        daemon = self.start_daemon("--no-subscribers")
        writer = self.start_writer("--bus", "--calls", "--size", 2000, "--rate", 8000, 60000)
        time.sleep(rng.uniform(0.1, 1.2))
        self.stop(daemon, signal.SIGKILL)
        self.stop(writer, signal.SIGKILL)
        publisher, seqs = self.accepted_by(writer)
        if (self.dir / "log.db-wal").exists():
            self.destroy_tail(rng)
        self.check_consistent()
        before = len(self.seqs(publisher))
        daemon = self.start_daemon("--no-subscribers")
        wait_for(lambda: self.spools() == [], "the spool to be taken over")
        stored = self.seqs(publisher)
        (lost,) = self.sql("select coalesce(sum(count), 0) n from loss")
        self.assertEqual(stored, sorted(set(stored)))
        self.assertGreaterEqual(len(stored) + lost["n"], len(seqs), f"seed {seed}: some are neither stored nor a loss")
        self.assertEqual(self.sql("select count(*) n from call where status = 'pending'"), [{"n": 0}])
        self.stop(daemon)
        for path in self.dir.glob("log.db*"):
            path.unlink()
        return f"seed {seed}: {len(seqs)} accepted, {before} left in the log, {len(stored)} after the restart, {lost['n']} lost"

    def test_the_log_is_consistent_and_what_the_spool_has_is_stored_again(self):
        for seed in range(options.seed, options.seed + options.seeds):
            with self.subTest(seed=seed):
                print(self.cut(seed), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options, sys.argv[1:] = parser.parse_known_args()
    main()
