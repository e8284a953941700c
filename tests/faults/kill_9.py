#!/usr/bin/env python3
"""kill -9 and stops of apps, daemon and subscribers at random moments, and afterwards the books are checked.

    kill_9.py [--seconds N | --minutes N] [--seed S]

Each app is a `steno emit --print`, whose stdout is a file: a line there was written, with one write call, after the library had said that
the event is accepted. That file is the oracle: what it names must be in the journal exactly once and in order, whoever was killed when.
A subscriber in Python (peer_subscriber.py) must have handled every event at least once and in order.
"""

import argparse
import collections
import contextlib
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "system"))
import books
import harness
from harness import wait_for

options = None
APPS = 3
TOKENS = 1000  # of each prompt, at gpt-4o-mini's price of 150,000 pico-dollars a token
COST = TOKENS * 150_000
STOP_SECONDS_MAX = 3
AUDIT_SECONDS = 3  # between two looks into the journal, so that the one at the end is short
PROGRESS_SECONDS = 10
COMMON = '{"model":"gpt-4o-mini","provider":"openai","call_type":"completion","filler":"' + "x" * 500 + '","call_id":"%s",'
CALL = COMMON + '"event":"pre_api_call","attempt":1}\n' + COMMON
CALL += '"event":"success","usage":{"prompt_tokens":%d,"completion_tokens":0}}\n' % TOKENS


class App:
    """An app that publishes calls (a pre_api_call, then a success) until it is killed."""

    count = 0

    def __init__(self, test):
        App.count += 1
        self.name = f"app{App.count}"
        self.receipts = books.Receipts(test.dir / f"{self.name}.accepted")
        with open(self.receipts.path, "wb") as stdout:
            self.process = test.start("steno", "emit", "--print", stdin=subprocess.PIPE, stdout=stdout, log="apps.log")
        self.feeder = threading.Thread(target=self.feed, daemon=True)
        self.feeder.start()

    def feed(self):
        number = 0
        with contextlib.suppress(BrokenPipeError, ValueError):
            while True:
                calls = range(number, number + random.choice((1, 4, 16)))
                number = calls.stop
                lines = "".join([CALL % (name, name) for name in (f"{self.name}-{n}" for n in calls)])
                self.process.stdin.write(lines.encode())
                self.process.stdin.flush()
                time.sleep(random.choice((0, 0, 0, 0.02)))

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.feeder.join()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()


class Peer:
    """The subscriber in Python through all its lives; a file a life."""

    def __init__(self, test):
        self.test, self.lives, self.high = test, 0, 0
        self.live()

    def live(self):
        self.lives += 1
        self.path = self.test.dir / f"handled-{self.lives}"
        self.path.touch()
        self.at = self.last = 0
        script = pathlib.Path(__file__).with_name("peer_subscriber.py")
        self.process = self.test.start(sys.executable, "-B", script, self.test.dir, "peer", self.path, log="peer.log")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.read()
        self.path.unlink()

    def read(self):
        """Asserts: in each life one offset after the other, and none left out between the lives."""
        with open(self.path, "rb") as file:
            file.seek(self.at)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self.at += len(whole)
        for offset in map(int, whole.split()):
            if self.last:
                self.test.assertEqual(offset, self.last + 1, f"the subscriber's life {self.lives}")
            else:
                self.test.assertLessEqual(offset, self.high + 1, f"the subscriber's life {self.lives} begins too late")
            self.last = offset
            self.high = max(self.high, offset)
        return self.high


class KillMinus9(harness.SystemTest):
    # ---- what happens ----

    def cost_pid(self):
        """A file descriptor of steno-cost's process, None if it can't be had now: a pid alone might be somebody else's by now."""
        if self.daemon.pid in self.stopped:
            return None
        for child in (self.control("status", timeout=2) or {}).get("children", []):
            with contextlib.suppress(OSError):
                if child["pid"]:
                    process = os.pidfd_open(child["pid"])
                    if b"steno-cost" in pathlib.Path(f"/proc/{child['pid']}/cmdline").read_bytes():
                        return process
                    os.close(process)
        return None

    def resume(self, everyone=False):
        for key, (until, send) in list(self.stopped.items()):
            if everyone or time.monotonic() >= until:
                del self.stopped[key]
                with contextlib.suppress(ProcessLookupError):
                    send(signal.SIGCONT)

    def stop_something(self):
        what = self.random.choice(("app", "daemon", "cost", "subscriber"))
        seconds = self.random.uniform(0, STOP_SECONDS_MAX)
        if what == "cost":
            process = self.cost_pid()
            if process is None:
                return
            self.addCleanup(os.close, process)
            key, send = f"cost {process}", lambda sig: signal.pidfd_send_signal(process, sig)
        else:
            process = {"app": self.random.choice(self.running).process, "daemon": self.daemon, "subscriber": self.peer.process}[what]
            key, send = process.pid, process.send_signal
        with contextlib.suppress(ProcessLookupError):
            send(signal.SIGSTOP)
            self.stops += 1
            self.stopped[key] = (time.monotonic() + seconds, send)

    def kill_something(self):
        what = self.random.choice(("app", "app", "daemon", "cost", "subscriber", "all"))
        self.kills[what] += 1
        if what in ("daemon", "all"):
            self.stop(self.daemon, signal.SIGKILL)
            self.stopped.pop(self.daemon.pid, None)
        if what in ("app", "all"):
            for app in self.random.sample(self.running, APPS if what == "all" else 1):
                app.kill()
                self.stopped.pop(app.process.pid, None)
                self.running.remove(app)
                self.dead.append(app)
        if what in ("subscriber", "all"):
            self.peer.kill()
            self.stopped.pop(self.peer.process.pid, None)
            self.peer.live()
        process = self.cost_pid() if what == "cost" else None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(process, signal.SIGKILL)
            os.close(process)
        time.sleep(self.random.choice((0, 0.05, 0.3)))
        if self.daemon.poll() is not None:
            self.daemon = self.start("stenod")
        while len(self.running) < APPS:
            self.running.append(App(self))

    def test_what_was_accepted_is_in_the_log_once_and_in_order(self):
        self.random = random.Random(options.seed)
        print(f"seed {options.seed}, {options.seconds:g} s", flush=True)
        self.kills, self.stops, self.stopped = collections.Counter(), 0, {}
        self.dead, self.settled = [], 0  # killed apps whose receipts are not checked off yet; events of those that are
        self.journal = books.Journal(self.dir)
        self.daemon = self.start_daemon()
        self.peer = Peer(self)
        self.running = [App(self) for _ in range(APPS)]
        start = time.monotonic()
        audit, progress = start + AUDIT_SECONDS, start + PROGRESS_SECONDS
        while (now := time.monotonic()) < start + options.seconds:
            time.sleep(self.random.uniform(0.05, 0.6))
            self.resume()
            self.random.choice((self.kill_something, self.kill_something, self.stop_something))()
            if now >= audit:
                self.check_off()
                audit = time.monotonic() + AUDIT_SECONDS
            if now >= progress and sys.stderr.isatty():
                print(f"{now - start:.0f} s: {self.kills.total()} kills, {self.journal.offset} events", file=sys.stderr)
                progress = now + PROGRESS_SECONDS
        self.resume(everyone=True)
        for app in self.running:
            app.kill()
        self.dead += self.running
        patience = max(60, options.seconds)
        wait_for(self.ping, "stenod to answer")
        self.steno("flush", "--timeout", f"{patience:.0f}", timeout=patience + 60)
        self.check_end(patience)
        kinds = ", ".join(f"{name} {self.kills[name]}" for name in ("app", "daemon", "cost", "subscriber", "all"))
        print(f"{self.kills.total()} kills ({kinds}), {self.stops} stops, {App.count} apps, {self.settled} events accepted, "
              "0 lost, 0 doubled", flush=True)

    # ---- the books ----

    def check_off(self):
        """Reads on in all books, and forgets the dead apps whose every event is in the journal."""
        self.peer.read()
        for app in self.dead:
            app.receipts.read()
        self.journal.read()
        for app in list(self.dead):
            if not self.journal.missing(app.receipts):
                self.settled += app.receipts.count()
                app.receipts.path.unlink()
                self.dead.remove(app)

    def check_end(self, patience):
        """Each call ended once: as its app said, or as ProcessDied where the app did not come to say it."""
        wait_for(lambda: not self.sql("SELECT 1 FROM call WHERE status = 'pending' LIMIT 1"), "every open call to be ended", patience)
        self.check_off()
        for app in self.dead:
            self.assertEqual(self.journal.missing(app.receipts), {}, f"{app.name}: accepted, and lost")
        self.assertEqual(self.sql("SELECT * FROM loss"), [])
        self.assertGreater(self.settled, 100)
        for publisher, stored in self.journal.stored.items():
            self.assertEqual(stored.parts, [[1, stored.last()]], f"{publisher}: without holes")
        self.check_calls()
        wait_for(lambda: self.peer.read() >= self.journal.offset, "the subscriber to handle the last event", patience)
        self.check_cost(patience)

    def check_calls(self):
        """Each call ended once: as its app said, or as ProcessDied where the app did not come to say it."""
        ends = collections.defaultdict(dict)
        for row in self.sql("SELECT lower(hex(uuid)) AS publisher, app, status, coalesce(error_type, '') AS error, count(*) AS n FROM "
                            "(SELECT publisher, status, error_type FROM call) JOIN publisher ON publisher.id = publisher GROUP BY 1, 3, 4"):
            ends[row["publisher"]][row["status"], row["error"]] = row["n"]
        calls = 0
        for publisher, stored in self.journal.stored.items():
            last = stored.last()
            expected = {("success", ""): last // 2, ("failure", "ProcessDied"): last % 2}
            if publisher in ends:
                self.assertEqual(ends[publisher], {end: n for end, n in expected.items() if n}, publisher)
                calls += sum(ends[publisher].values())
        self.assertEqual(self.sql("SELECT count(*) AS n FROM call"), [{"n": calls}])
        self.assertEqual(self.journal.ends, calls, "one terminal event a call")

    def check_cost(self, patience):
        """steno-cost wrote each call once, whatever it was killed in."""
        def settled():
            (counts,) = self.sql("SELECT (SELECT count(*) FROM cost) AS costs, (SELECT count(*) FROM call) AS calls")
            return counts["costs"] == counts["calls"]

        wait_for(settled, "steno-cost to catch up", patience)
        self.check_spend()
        (sums,) = self.sql("SELECT sum(pico_dollars) AS pico, count(*) AS n FROM cost")
        (successes,) = self.sql("SELECT count(*) AS n FROM call WHERE status = 'success'")
        self.assertEqual(sums["pico"], successes["n"] * COST)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    if options.minutes:
        options.seconds = 60 * options.minutes
    unittest.main(argv=[sys.argv[0], "-v"])
