#!/usr/bin/env python3
"""Apps that flood beyond what the bus takes: the daemon's memory stays bounded, and the spools bring the rest."""

import os
import pathlib
import signal
import sys

import msgpack

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "system"))
import books
from daemon_peers import DaemonTest, Peer, event
from harness import main, wait_for, wait_for_count

EVENT_BYTES = 2000
# At full speed the bus carries marks alone, "read my spool"; of apps that are a little slower it carries every event.
FULL_SPEED, PACED = ["60000"], ["--rate", "4000", "28000"]  # the paced ones are not done before the test begins, however slow that is
APPS = [FULL_SPEED, PACED, FULL_SPEED, PACED]
EVENTS = sum(int(arguments[-1]) for arguments in APPS)
BEYOND_HIGH_WATER = 5000  # events: more than both ends of the bus take together
# A peer without a spool and without a high-water mark of its own pushes far more than the daemon should have in memory.
PEER_EVENTS = 40000
RSS_MB_MAX = 64  # twice the budget


class Flood(DaemonTest):
    def memory_mb(self, process, what="VmHWM"):
        """Resident: VmHWM is the most it ever had, VmRSS what it has now."""
        for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith(what):
                return int(line.split()[1]) / 1024
        raise AssertionError(what)

    def test_nothing_is_lost_and_memory_is_bounded(self):
        daemon = self.start_daemon("--no-subscribers")
        peer = Peer(self)
        apps = [self.start_writer("--bus", "--stay", "--size", EVENT_BYTES, *arguments) for arguments in APPS]
        receipts = [books.Receipts(self.outputs[app.pid]) for app in apps]
        daemon.send_signal(signal.SIGSTOP)
        paced = [one.read() for one, arguments in zip(receipts, APPS) if arguments is PACED]
        goals = [one.count() + BEYOND_HIGH_WATER for one in paced]
        self.assertLess(max(goals), int(PACED[-1]), "the flood was over before the test began")
        wait_for(lambda: all(one.read().count() > goal for one, goal in zip(paced, goals)), "more events than the bus takes")
        body = msgpack.packb(event(padding="x" * EVENT_BYTES))
        for seq in range(1, PEER_EVENTS + 1):
            peer.send(seq, body=body)
        daemon.send_signal(signal.SIGCONT)
        wait_for_count(lambda: sum(one.read().count() for one in receipts), EVENTS, "the apps to be done")
        next_seq = "SELECT coalesce(max(next), 0) AS n FROM publisher WHERE uuid = ?"
        wait_for_count(lambda: self.sql(next_seq, peer.publisher)[0]["n"], PEER_EVENTS + 1, "the peer's last event")
        self.steno("flush", "--timeout", "60")
        journal = books.Journal(self.dir).read()
        for one in receipts:
            self.assertEqual(journal.missing(one), {})
        self.assertEqual(journal.of(peer.publisher.hex()).parts, [[1, PEER_EVENTS]])
        self.assertEqual(self.sql("SELECT * FROM loss"), [])
        seen = [self.memory_mb(process) for process in (daemon, *apps)]
        print(f"daemon {seen[0]:.0f} MB, apps {', '.join(f'{mb:.0f}' for mb in seen[1:])} MB at most", file=sys.stderr, flush=True)
        if not os.environ.get("FAULTS_SANITIZE"):  # which keep what was freed
            self.assertLess(seen[0], RSS_MB_MAX)


if __name__ == "__main__":
    main()
