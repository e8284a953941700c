#!/usr/bin/env python3
"""Processes that stand still for longer than every time-out, and go on: nothing lost, nothing doubled, each cost written once."""

import os
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "system"))
import books
from daemon_peers import DaemonTest
from harness import main, wait_for

STOP_SECONDS = 6
TERMINAL = "('success', 'failure')"


class Stopped(DaemonTest):
    def start_apps(self, count):
        apps = [self.start_writer("--bus", "--calls", "--size", 1000, "--rate", 2000, 10_000_000) for _ in range(count)]
        self.receipts = [books.Receipts(self.outputs[app.pid]) for app in apps]
        self.wait_for_more(*self.receipts)
        return apps

    def wait_for_more(self, *receipts, events=500):
        goals = [one.read().count() + events for one in receipts]
        wait_for(lambda: all(one.read().count() >= goal for one, goal in zip(receipts, goals)), f"{events} more events of each app")

    def stand_still(self, *pids):
        """SIGSTOP, the time, SIGCONT. The others go on meanwhile."""
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(STOP_SECONDS)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)

    def check(self, apps):
        for app in apps:
            app.kill()
            app.wait()
        wait_for(lambda: self.spools() == [], "the spools to be taken over")
        journal = books.Journal(self.dir).read()
        for receipts in self.receipts:
            self.assertEqual(journal.missing(receipts.read()), {})
        for publisher, stored in journal.stored.items():
            self.assertEqual(stored.parts, [[1, stored.last()]], publisher)
        self.assertEqual(self.sql("SELECT * FROM loss"), [])
        ((calls),) = self.sql(f"SELECT count(*) AS n, count(DISTINCT call_id) AS calls FROM event WHERE event IN {TERMINAL}")
        self.assertEqual(calls["n"], calls["calls"], "one terminal event a call")
        wait_for(lambda: self.sql("SELECT count(*) AS n FROM cost")[0]["n"] == calls["n"], "steno-cost to catch up")
        return journal

    def cost(self):
        return wait_for(lambda: [child["pid"] for child in self.status()["children"] if child["name"] == "cost" and child["pid"]], "steno-cost")[0]

    def test_daemon_that_stood_still_while_apps_flooded_catches_up(self):
        daemon = self.start_daemon()
        apps = self.start_apps(2)
        before = [receipts.read().count() for receipts in self.receipts]
        self.stand_still(daemon.pid)
        for receipts, count in zip(self.receipts, before):
            self.assertGreater(receipts.read().count(), count + 1000, "the apps do not wait")
        self.wait_for_more(*self.receipts)
        self.check(apps)
        self.assertIsNone(daemon.poll())

    def test_app_that_stood_still_is_not_taken_for_dead(self):
        self.start_daemon()
        apps = self.start_apps(2)
        still = self.receipts[0].read()
        ((publisher, _),) = still.accepted.items()
        os.kill(apps[0].pid, signal.SIGSTOP)
        self.addCleanup(apps[0].kill)
        time.sleep(STOP_SECONDS)
        (listed,) = [p for p in self.status()["publishers"] if p["publisher"] == publisher]
        self.assertTrue(listed["alive"])
        self.assertEqual(self.sql("SELECT 1 FROM call WHERE error_type = 'ProcessDied'"), [])
        os.kill(apps[0].pid, signal.SIGCONT)
        self.wait_for_more(*self.receipts)
        journal = self.check(apps)
        self.assertGreaterEqual(journal.of(publisher).last(), still.count())

    def test_subscribers_that_stood_still_go_on_where_they_were(self):
        daemon = self.start_daemon()
        script = pathlib.Path(__file__).with_name("peer_subscriber.py")
        handled = self.base / "handled"
        peer = self.start(sys.executable, "-B", script, self.dir, "peer", handled, log="peer.log")
        apps = self.start_apps(1)
        wait_for(lambda: handled.exists() and handled.stat().st_size, "the subscriber to handle something")
        cost = self.cost()
        self.stand_still(peer.pid, cost)
        self.assertEqual(self.cost(), cost, "steno-cost was not started anew")
        self.wait_for_more(*self.receipts)
        journal = self.check(apps)
        wait_for(lambda: int((handled.read_text().rsplit("\n", 2) or [0])[-2]) >= journal.offset, "the subscriber to catch up")
        self.assertEqual([int(line) for line in handled.read_text().splitlines()], list(range(1, journal.offset + 1)))
        self.assertIsNone(daemon.poll())


if __name__ == "__main__":
    main()
