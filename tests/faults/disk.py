#!/usr/bin/env python3
"""A disk that is really full, under the log and under the spool; and a spool at its limit. The app goes on, and every event is accounted for."""

import ctypes
import os
import pathlib
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "system"))
import books
from daemon_peers import DaemonTest
from harness import main, wait_for

CLONE_NEWNS = 0x00020000
SMALL, LARGE = "24m", "600m"


def private_mounts():
    """Mounts of this process are nobody else's from now on and end with it. Returns why not, or None."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS):
        return f"no mount namespace: {os.strerror(ctypes.get_errno())} (root is needed)"
    return mount("--make-rprivate", "/")


def mount(*args):
    result = subprocess.run(["mount", *map(str, args)], capture_output=True, text=True, check=False)
    return None if result.returncode == 0 else f"mount {args}: {result.stderr.strip()}"


class Apps(DaemonTest):
    def start_app(self, *args):
        process = self.start_writer(*args)
        return process, books.Receipts(self.outputs[process.pid])

    def wait_for_receipts(self, receipts, more=0, refusals=0):
        """Waits until so many more were accepted, and so many refused in all."""
        accepted = receipts.read().count() + more
        wait_for(lambda: receipts.read().count() >= accepted and receipts.refusals() >= refusals,
                 f"{more} more accepted events, {refusals} refused ones")

    def losses(self, receipts):
        """Of what the app was told; killed in between, it gave out one number more than it could tell of."""
        told = max(ranges.last() for of in (receipts.accepted, receipts.refused) for ranges in of.values())
        return self.sql("SELECT coalesce(sum(count - max(0, last_seq - ?)), 0) AS n FROM loss", told)[0]["n"]

    def settle(self, app, receipts):
        """The app ends, and everything it gave out a number to is in the log or in `loss`."""
        app.kill()
        app.wait()
        wait_for(lambda: self.spools() == [], "its spool to be taken over")
        receipts.read()
        journal = books.Journal(self.dir).read()
        self.assertEqual(journal.missing(receipts), {}, "accepted, and lost")
        self.assertEqual(self.losses(receipts), journal.unstored_refusals(receipts), self.sql("SELECT * FROM loss"))


class FullDisk(Apps):
    """$STENO_DIR is on a small disk of its own; receipts and logs are not."""

    def setUp(self):
        super().setUp()
        self.dir = self.base / "small"
        self.dir.mkdir(mode=0o700)
        refused = mount("-t", "tmpfs", "-o", f"size={SMALL},mode=0700", "tmpfs", self.dir)
        if refused:
            self.skipTest(refused)
        self.env["STENO_DIR"] = str(self.dir)

    def clean(self):
        self.end_processes()
        subprocess.run(["umount", str(self.base / "small")], check=False, stderr=subprocess.DEVNULL)
        super().clean()

    def make_room(self):
        self.assertIsNone(mount("-o", f"remount,size={LARGE}", self.dir))

    def test_a_log_that_cannot_grow_is_said_and_nothing_is_lost(self):
        daemon = self.start_daemon()
        app, receipts = self.start_app("--bus", "--calls", "--size", 2000, "--rate", 5000, 10_000_000)
        problem = wait_for(lambda: self.status()["problem"], "the daemon to say what is wrong")
        self.assertIn("log.db", problem)
        self.assertTrue(self.control("ping"))
        told = self.steno("status", check=False)
        self.assertEqual(told.returncode, 1)
        self.assertIn("log.db", told.stderr)
        before = receipts.read().count() + receipts.refusals()
        wait_for(lambda: receipts.read().count() + receipts.refusals() > before + 5000, "the app to go on")
        self.make_room()
        wait_for(lambda: self.status()["problem"] is None, "the daemon to be fine")
        self.assertEqual(self.steno("status").returncode, 0)
        self.wait_for_receipts(receipts, more=5000)
        self.settle(app, receipts)
        self.assertGreater(receipts.count(), 5000)
        self.assertIsNone(daemon.poll())
        uncosted = "SELECT 1 FROM call LEFT JOIN cost USING (call_id) WHERE cost.call_id IS NULL AND status = 'success' LIMIT 1"
        wait_for(lambda: not self.sql(uncosted), "steno-cost to catch up")

    def test_a_spool_on_a_full_disk_refuses_and_goes_on_when_there_is_room(self):
        app, receipts = self.start_app("--bus", "--size", 2000, "--rate", 8000, 10_000_000)
        self.wait_for_receipts(receipts, more=1000, refusals=5000)
        self.make_room()
        self.wait_for_receipts(receipts, more=5000)
        self.start_daemon()
        self.wait_for_receipts(receipts, more=1000)
        self.settle(app, receipts)
        self.assertGreaterEqual(self.losses(receipts), 1000)

    def test_what_a_full_disk_refused_last_is_counted_though_the_app_died(self):
        app, receipts = self.start_app("--bus", "--size", 2000, "--rate", 8000, 10_000_000)
        self.wait_for_receipts(receipts, more=1000, refusals=3000)
        app.kill()
        app.wait()
        self.make_room()
        self.start_daemon()
        self.settle(app, receipts)
        self.assertGreaterEqual(self.losses(receipts), 3000)

    def test_a_disk_that_is_full_from_the_start_stops_no_app(self):
        with open(self.dir / "ballast", "wb") as ballast:
            os.posix_fallocate(ballast.fileno(), 0, 22 << 20)
        app, receipts = self.start_app("--bus", "--rate", 5000, 10_000_000)
        wait_for(lambda: receipts.read().refusals() >= 1000, "refusals")
        self.assertEqual(receipts.count(), 0)
        (self.dir / "ballast").unlink()
        self.wait_for_receipts(receipts, more=1000)
        self.start_daemon()
        self.settle(app, receipts)


class SpoolLimit(Apps):
    LIMIT = 12 << 20

    def flood(self, *bus):
        return self.start_app(*bus, "--limit", self.LIMIT, "--size", 2000, "--rate", 8000, 10_000_000)

    def test_the_newest_are_refused_and_counted_once_later_ones_are_accepted(self):
        app, receipts = self.flood()
        self.wait_for_receipts(receipts, refusals=3000)
        ((publisher, accepted),) = receipts.accepted.items()
        self.assertEqual(accepted.parts, [[1, receipts.refused[publisher].parts[0][0] - 1]], "the oldest are kept")
        self.assertGreater(accepted.last() * 2000, self.LIMIT / 2)
        self.start_daemon()
        self.wait_for_receipts(receipts, more=3000)
        self.settle(app, receipts)
        self.assertEqual(self.losses(receipts), receipts.refusals(), "nothing but the spool brings events here")

    def test_what_the_bus_brings_of_the_refused_is_stored_and_no_loss(self):
        app, receipts = self.flood("--bus")
        self.wait_for_receipts(receipts, refusals=3000)
        self.start_daemon()
        self.wait_for_receipts(receipts, more=3000)
        self.settle(app, receipts)
        self.assertGreater(self.losses(receipts), 0)

    def test_the_refused_at_the_end_of_a_dead_app_are_counted(self):
        app, receipts = self.flood()
        self.wait_for_receipts(receipts, refusals=3000)
        app.send_signal(signal.SIGKILL)
        app.wait()
        self.start_daemon()
        self.settle(app, receipts)
        self.assertEqual(self.losses(receipts), receipts.refusals())


if __name__ == "__main__":
    why_not = private_mounts()
    if why_not:
        FullDisk = unittest.skip(why_not)(FullDisk)
    main()
