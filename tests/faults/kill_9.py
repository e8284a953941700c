#!/usr/bin/env python3
"""kill -9 of apps, daemon and subscriber at random moments, and afterwards the books are checked.

    kill_9.py [--seconds N] [--seed S]

Each app is a `steno emit --print`, whose stdout is a file: a line there was written, with one write call, after the library had said that
the event is accepted. That file is the oracle: what it names must be in the journal exactly once and in order, whoever was killed when.
"""

import argparse
import collections
import json
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "system"))
import harness
from harness import wait_for

options = None
APPS = 3
TOKENS = 1000  # of each prompt, at gpt-4o-mini's price of 150,000 pico-dollars a token
COST = TOKENS * 150_000


class App:
    """An app that publishes calls (a pre_api_call, then a success) until it is killed."""

    count = 0

    def __init__(self, test):
        App.count += 1
        self.name = f"app{App.count}"
        self.accepted = test.dir / f"{self.name}.accepted"
        self.sent = []  # call ids, in order; two events each
        with open(self.accepted, "wb") as stdout:
            self.process = test.start("steno", "emit", "--print", stdin=subprocess.PIPE, stdout=stdout, log="apps.log")
        self.feeder = threading.Thread(target=self.feed, daemon=True)
        self.feeder.start()

    def feed(self):
        common = {"model": "gpt-4o-mini", "provider": "openai", "call_type": "completion", "filler": "x" * 500}
        number = 0
        try:
            while True:
                number += 1
                call_id = f"{self.name}-{number}"
                self.sent.append(call_id)
                for event in ({"event": "pre_api_call", "attempt": 1},
                              {"event": "success", "usage": {"prompt_tokens": TOKENS, "completion_tokens": 0}}):
                    self.process.stdin.write(json.dumps({**common, **event, "call_id": call_id}).encode() + b"\n")
                    self.process.stdin.flush()
                time.sleep(random.choice((0, 0, 0, 0.001)))
        except (BrokenPipeError, ValueError):
            pass

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.feeder.join()

    def receipts(self):
        """(publisher, seq) of each event that was said to be accepted; the last line may be cut."""
        lines = self.accepted.read_text().split("\n")[:-1]
        return [(publisher, int(seq)) for publisher, seq in (line.split() for line in lines)]


class KillMinus9(harness.SystemTest):
    def kill_something(self):
        self.kills += 1
        what = self.random.choice(("app", "app", "daemon", "cost", "all"))
        if what in ("daemon", "all"):
            self.stop(self.daemon, signal.SIGKILL)
        if what in ("app", "all"):
            for app in self.random.sample(self.running, APPS if what == "all" else 1):
                app.kill()
                self.running.remove(app)
        if what == "cost":
            for child in (self.control("status", timeout=2) or {}).get("children", []):
                if child["pid"]:
                    subprocess.run(["kill", "-9", str(child["pid"])], check=False, stderr=subprocess.DEVNULL)
        time.sleep(self.random.choice((0, 0.05, 0.3)))
        if self.daemon.poll() is not None:
            self.daemon = self.start("stenod")
        while len(self.running) < APPS:
            self.running.append(App(self))
            self.apps.append(self.running[-1])

    def test_what_was_accepted_is_in_the_log_once_and_in_order(self):
        self.random = random.Random(options.seed)
        print(f"seed {options.seed}, {options.seconds} s", flush=True)
        self.kills, self.apps = 0, []
        self.daemon = self.start_daemon()
        self.running = [App(self) for _ in range(APPS)]
        self.apps += self.running
        end = time.monotonic() + options.seconds
        while time.monotonic() < end:
            time.sleep(self.random.uniform(0.05, 0.6))
            self.kill_something()
        for app in self.running:
            app.kill()
        wait_for(self.ping, "stenod to answer")
        self.steno("flush", "--timeout", "60")
        self.check_journal()
        self.check_calls()
        self.check_cost()
        print(f"{self.kills} kills, {len(self.apps)} apps, {self.events} events accepted, 0 lost, 0 doubled", flush=True)

    def check_journal(self):
        rows = self.sql("SELECT offset, lower(hex(uuid)) AS publisher, seq FROM event JOIN publisher ON publisher.id = event.publisher "
                        "WHERE publisher.app <> 'stenod' ORDER BY offset")
        stored = collections.defaultdict(list)
        for row in rows:
            stored[row["publisher"]].append(row["seq"])
        for publisher, seqs in stored.items():
            self.assertEqual(seqs, list(range(1, len(seqs) + 1)), f"{publisher}: once and in order, without holes")
        self.events = 0
        for app in self.apps:
            receipts = app.receipts()
            self.events += len(receipts)
            for publisher, seq in receipts:
                self.assertLessEqual(seq, len(stored[publisher]), f"{publisher} {seq} was accepted and is lost")
        (count,) = self.sql("SELECT count(*) AS n, max(offset) AS last FROM event")
        self.assertEqual(count["n"], count["last"], "offsets have no holes")
        self.assertEqual(self.sql("SELECT * FROM loss"), [])
        self.assertGreater(self.events, 100)

    def check_calls(self):
        """Each call ended once: as its app said, or as ProcessDied where the app did not come to say it."""
        wait_for(lambda: not self.sql("SELECT 1 FROM call WHERE status = 'pending' LIMIT 1"), "every open call to be ended")
        calls = {row["call_id"]: row for row in self.sql("SELECT call_id, status, error_type FROM call")}
        ends = collections.Counter(row["call_id"] for row in self.sql("SELECT call_id FROM event WHERE event IN ('success', 'failure')"))
        self.assertEqual(set(ends), set(calls))
        self.assertEqual(set(ends.values()), {1}, "one terminal event a call")
        for app in self.apps:
            accepted = len(app.receipts())
            for number, call_id in enumerate(app.sent):
                if 2 * number + 2 <= accepted:
                    self.assertEqual(calls[call_id]["status"], "success", call_id)
                elif 2 * number + 1 <= accepted:
                    self.assertIn(calls[call_id]["error_type"], (None, "ProcessDied"), call_id)

    def check_cost(self):
        """steno-cost wrote each call once, whatever it was killed in."""
        def settled():
            return not self.sql("SELECT 1 FROM call LEFT JOIN cost USING (call_id) WHERE cost.call_id IS NULL LIMIT 1")

        wait_for(settled, "steno-cost to catch up")
        (sums,) = self.sql("SELECT sum(pico_dollars) AS pico, count(*) AS n FROM cost")
        (successes,) = self.sql("SELECT count(*) AS n FROM call WHERE status = 'success'")
        self.assertEqual(sums["pico"], successes["n"] * COST)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    unittest.main(argv=[sys.argv[0], "-v"])
