#!/usr/bin/env python3
"""Publishers in numbers, in haste and in the way of fork(): every accepted event is stored, and the daemon neither grows nor leaks."""

import os
import pathlib
import resource
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "system"))
import books
from daemon_peers import DaemonTest
from harness import BIN, PATIENCE, main, wait_for, wait_for_count

CROWD = BIN.parent / "tests" / "crowd"
SANITIZED = bool(os.environ.get("FAULTS_SANITIZE"))  # slower and larger by far: smaller numbers, and memory says nothing
PROCESSES = 100 if SANITIZED else 1000
EVENTS = 20
DESCRIPTORS = 1024  # the usual soft limit
FEW_DESCRIPTORS, MORE_PROCESSES = 60, 100
COMINGS = (200, 800) if SANITIZED else (2000, 8000)
LISTED_MAX = 1000  # publishers in a status reply
RSS_MB_MAX = 128
GROWTH_MB_MAX = 4
CHILDREN = 4


class Crowd(DaemonTest):
    def crowd(self, *args):
        """Starts crowd; self.receipts is what it is told."""
        path = self.base / "receipts"
        with open(path, "ab") as stdout:
            process = self.start(CROWD, *args, stdin=subprocess.PIPE, stdout=stdout)
        self.receipts = books.Receipts(path)
        return process

    def finished(self, process):
        process.stdin.close()
        self.assertEqual(process.wait(10 * PATIENCE), 0, self.logs())

    def check(self, publishers, events):
        """So many publishers; all that they were told is in the log."""
        self.wait_for_takeover()
        journal = books.Journal(self.dir).read()
        self.assertEqual(journal.missing(self.receipts.read()), {})
        self.assertEqual(len(self.receipts.accepted), publishers)
        self.assertEqual(self.receipts.count(), events)
        self.assertEqual(journal.offset, events)
        self.assertEqual(self.sql("SELECT * FROM loss"), [])

    def wait_for_takeover(self):
        """Of all spools: there are fewer and fewer."""
        wait_for_count(lambda: -len(self.spools()), 0, "all spools to be taken over")

    def memory_mb(self, process):
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS"))

    def descriptors(self, process):
        return len(os.listdir(f"/proc/{process.pid}/fd"))

    def start_processes(self, count):
        crowd = self.crowd("processes", count, EVENTS)
        wait_for_count(lambda: self.receipts.read().count(), count * EVENTS, "all to have emitted" + self.logs())
        self.assertIsNone(crowd.poll(), self.logs())
        return crowd

    def start_daemon_with_descriptors(self, soft, hard):
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        try:
            # The hard limit of this process could not be raised again.
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, before[1]), before[1]))
            daemon = self.start_daemon("--no-subscribers")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        if hard:
            resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (hard, hard))
        return daemon

    def test_a_thousand_publishers_at_once(self):
        daemon = self.start_daemon_with_descriptors(DESCRIPTORS, None)
        crowd = self.start_processes(PROCESSES)
        self.steno("flush", "--timeout", "60")
        alive = [publisher for publisher in self.status()["publishers"] if publisher["alive"] and publisher["app"] == "crowd"]
        self.assertGreaterEqual(len(alive), min(PROCESSES, LISTED_MAX) - 1)  # the daemon itself is a publisher, too
        self.assertLessEqual(len(alive), LISTED_MAX)
        memory = self.memory_mb(daemon)
        print(f"daemon {memory:.0f} MB, {self.descriptors(daemon)} descriptors", file=sys.stderr, flush=True)
        if not SANITIZED:
            self.assertLess(memory, RSS_MB_MAX)
        self.finished(crowd)
        self.check(PROCESSES, PROCESSES * EVENTS)

    def test_more_publishers_than_the_daemon_may_have_descriptors(self):
        """What the bus cannot bring, the spools do."""
        daemon = self.start_daemon_with_descriptors(FEW_DESCRIPTORS, FEW_DESCRIPTORS)
        crowd = self.start_processes(MORE_PROCESSES)
        self.finished(crowd)
        self.assertIsNone(daemon.poll(), self.logs())
        self.check(MORE_PROCESSES, MORE_PROCESSES * EVENTS)

    def test_a_publisher_that_comes_and_goes_ten_thousand_times_leaves_nothing(self):
        daemon = self.start_daemon("--no-subscribers")
        descriptors = self.descriptors(daemon)
        crowd = self.crowd("comings", *COMINGS)
        seen = []
        for count in (COMINGS[0], sum(COMINGS)):
            wait_for_count(lambda: self.receipts.read().count(), count, f"{count} publishers" + self.logs())
            self.wait_for_takeover()
            wait_for(lambda: len(self.status()["publishers"]) <= 1, "all publishers to be forgotten")
            seen.append(self.memory_mb(daemon))
            crowd.stdin.write(b"\n")
            crowd.stdin.flush()
        self.finished(crowd)
        self.check(sum(COMINGS), sum(COMINGS))
        wait_for(lambda: self.descriptors(daemon) <= descriptors, f"the daemon to be back at {descriptors} descriptors")
        print(f"daemon {seen[0]:.1f} MB, then {seen[1]:.1f} MB", file=sys.stderr, flush=True)
        if not SANITIZED:
            self.assertLess(seen[1] - seen[0], GROWTH_MB_MAX)

    def test_children_of_a_fork_publish_as_themselves(self):
        self.start_daemon("--no-subscribers")
        crowd = self.crowd("prefork", CHILDREN, 50)
        self.finished(crowd)
        self.check(1 + CHILDREN, 50 * (1 + CHILDREN) + 2)

    def test_children_of_a_fork_publish_as_themselves_without_a_daemon(self):
        crowd = self.crowd("prefork", CHILDREN, 50)
        self.finished(crowd)
        self.start_daemon("--no-subscribers")
        self.check(1 + CHILDREN, 50 * (1 + CHILDREN) + 2)

    def test_nothing_is_lost_at_exit(self):
        self.start_daemon("--no-subscribers")
        for how in ("exit", "_exit"):
            for events in (1, 500):
                self.finished(self.crowd(how, events))
        self.check(4, 2 * (1 + 500))

    def test_two_clients_in_a_process_are_two_publishers(self):
        self.start_daemon("--no-subscribers")
        self.finished(self.crowd("clients", 2, 500))
        self.check(2, 1000)

    def test_threads_of_the_library_take_no_signals(self):
        self.start_daemon("--no-subscribers")
        self.finished(self.crowd("signals", 1000))
        wait_for(lambda: self.spools() == [], "its spool to be taken over")
        journal = books.Journal(self.dir).read()
        self.assertEqual(journal.missing(self.receipts.read()), {})
        self.assertEqual(self.receipts.count(), 1000)


if __name__ == "__main__":
    main()
