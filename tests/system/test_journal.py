"""How long the journal is kept, and reading it again: retention, `steno replay`, cursors that somebody else moves."""

import json
import signal
import sqlite3
import sys
import time

import zmq

from daemon_peers import DaemonTest, Peer, event
from harness import main, wait_for

MEGABYTE = 1 << 20


class Journal(DaemonTest):
    def configure(self, text, subscribers=()):
        sections = "".join(f"[subscriber {name}]\ncommand = {command}\n" for name, command in subscribers)
        (self.dir / "stenod.ini").write_text(f"[stenod]\n{text}\n{sections}")

    def publish(self, count, size=2000, name="success"):
        """Through `steno emit`, so that it is stored whole."""
        line = json.dumps({"event": name, "model": "gpt-4o-mini", "provider": "openai", "usage": {"prompt_tokens": 10, "completion_tokens": 1}, "text": "x" * size})
        self.steno("emit", input=(line + "\n") * count)
        self.flush()

    def bounds(self):
        return tuple(self.sql("select min(offset) low, max(offset) high from event")[0].values())


class Retention(Journal):
    def test_the_journal_stays_below_its_size_and_calls_stay(self):
        self.configure("journal_mb = 1")
        self.start_daemon("--no-subscribers")
        self.publish(3000)
        wait_for(lambda: self.status()["journal_bytes"] <= MEGABYTE, "the journal to get smaller")
        low, high = self.bounds()
        self.assertEqual(high, 3000)
        self.assertGreater(low, 2000)
        (held,) = self.sql("select sum(length(body)) + 128 * count(*) bytes, count(*) n from event")
        self.assertEqual(held["bytes"], self.status()["journal_bytes"])
        self.assertGreater(held["bytes"], MEGABYTE * 9 // 10)
        self.assertEqual(held["n"], high - low + 1, "no holes")
        self.assertEqual(self.sql("select count(*) n from call where status = 'success'"), [{"n": 3000}])
        status = self.status()
        self.assertEqual((status["first_offset"], status["last_offset"]), (low, high))

    def test_old_events_go_and_offsets_go_on_after_the_last_of_them(self):
        self.configure("journal_days = 3")
        daemon = self.start_daemon("--no-subscribers")
        self.publish(100, size=10)
        self.stop(daemon)
        with sqlite3.connect(self.dir / "log.db") as database:
            database.execute("update event set stored = stored - 3 * 86400 - 1 where offset <= 60")
        daemon = self.start_daemon("--no-subscribers")
        wait_for(lambda: self.bounds() == (61, 100), "the old ones to go")
        self.stop(daemon)
        with sqlite3.connect(self.dir / "log.db") as database:
            database.execute("update event set stored = 0")
        self.start_daemon("--no-subscribers")
        wait_for(lambda: self.bounds() == (100, 100), "all but the last to go")
        self.publish(1)
        wait_for(lambda: self.bounds() == (101, 101), "the new one")

    def test_zero_means_no_limit(self):
        self.configure("journal_mb = 0\njournal_days = 0")
        daemon = self.start_daemon("--no-subscribers")
        self.publish(10)
        self.stop(daemon)
        with sqlite3.connect(self.dir / "log.db") as database:
            database.execute("update event set stored = 0")
        self.start_daemon("--no-subscribers")
        self.publish(1)
        time.sleep(0.2)  # it would have been the first thing done
        self.assertEqual(self.bounds(), (1, 11))

    def test_a_subscriber_that_was_away_too_long_is_told_which_offsets_are_gone(self):
        self.configure("journal_mb = 1")
        self.start_daemon("--no-subscribers")
        self.publish(5, size=10)
        follow = ["steno-exec", "--name", "away", "success.", "--", "sh", "-c", f"echo $STENO_OFFSET >> {self.dir}/seen"]
        follower = self.start(*follow)
        wait_for(lambda: (self.dir / "seen").exists() and len(self.lines()) == 5, "the first events")
        self.stop(follower)
        self.publish(3000, size=4000)
        wait_for(lambda: self.status()["journal_bytes"] <= MEGABYTE, "the journal to get smaller")
        low, high = self.bounds()
        self.start(*follow)
        wait_for(lambda: self.lines()[-1] == high, "the rest" + self.logs())
        self.assertEqual(self.lines(), [1, 2, 3, 4, 5, *range(low, high + 1)])
        self.assertIn(f"6 to {low - 1}", (self.dir / "steno-exec.log").read_text())

    def lines(self):
        return [int(line) for line in (self.dir / "seen").read_text().split()]

    def test_ingest_goes_on_while_much_is_deleted(self):
        """The journal is far over its limit all at once: what is published meanwhile is stored all the same, soon."""
        self.configure("journal_mb = 0")
        daemon = self.start_daemon("--no-subscribers")
        for _ in range(3):
            self.publish(20000)
        peer = Peer(self)
        self.configure("journal_mb = 1")
        daemon.send_signal(signal.SIGHUP)
        waits = []
        while self.status()["journal_bytes"] > 2 * MEGABYTE:
            start = time.monotonic()
            last = self.status()["last_offset"]
            peer.two(event("test.probe"))
            wait_for(lambda: self.status()["last_offset"] > last, "the probe")
            waits.append(time.monotonic() - start)
        self.assertGreater(len(waits), 5, "it was to be seen at work")
        print(f"{len(waits)} events stored during the deletion, median {sorted(waits)[len(waits) // 2] * 1e3:.1f} ms, worst {max(waits) * 1e3:.1f} ms")
        self.assertLess(sorted(waits)[len(waits) // 2], 0.5)


class Busy(Journal):
    REPLAYER = """
import sys, msgpack, zmq
socket = zmq.Context().socket(zmq.DEALER)
socket.connect(sys.argv[1])
after = 0
while True:
    socket.send(msgpack.packb({"verb": "replay", "after": after, "topics": sys.argv[2:]}))
    reply = msgpack.unpackb(socket.recv())
    after = 0 if reply["end"] else reply["last"]
    print("at work", flush=True)
    socket.send(msgpack.packb({"verb": "status"}))
    socket.recv()
"""

    def test_ingest_goes_on_while_many_replay_and_ask_for_the_status(self):
        self.start_daemon("--no-subscribers")
        for _ in range(3):
            self.publish(20000)
        for number, topics in enumerate(([], [], ["success."], ["nothing."], ["nothing."], ["nothing."])):
            with open(self.dir / f"replayer-{number}", "wb") as output:
                self.start(sys.executable, "-c", self.REPLAYER, f"ipc://{self.dir}/control", *topics, stdout=output)
        peer = Peer(self)
        subscriber = self.socket(zmq.SUB, "events.out")
        self.addCleanup(subscriber.close)
        subscriber.subscribe("test.probe")
        subscriber.subscribe("steno.heartbeat")  # asked for after it, so one that comes says that the daemon knows of both
        self.assertTrue(subscriber.poll(30000), "no heartbeat")
        subscriber.unsubscribe("steno.heartbeat")
        wait_for(lambda: all((self.dir / f"replayer-{number}").stat().st_size for number in range(6)), "all of them to be at work")
        waits = []
        for _ in range(100):
            start = time.monotonic()
            peer.two(event("test.probe"))
            while True:
                self.assertTrue(subscriber.poll(10000), "the probe is not stored")
                if subscriber.recv_multipart()[0] != b"steno.heartbeat":
                    break
            waits.append(time.monotonic() - start)
        waits.sort()
        print(f"median {waits[50] * 1e3:.1f} ms, worst {waits[-1] * 1e3:.1f} ms", flush=True)
        self.assertLess(waits[50], 0.5)


class Replay(Journal):
    def follow(self):
        return self.start("steno-exec", "--name", "follower", "--", "sh", "-c", f"echo $STENO_OFFSET >> {self.dir}/seen")

    def lines(self):
        path = self.dir / "seen"
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def wait_for_lines(self, expected):
        expected = list(expected)
        wait_for(lambda: len(self.lines()) >= len(expected), f"{len(expected)} lines" + self.logs())
        self.assertEqual(self.lines(), expected)

    def cursor(self, name="follower"):
        return self.control("cursor", name=name)["offset"]

    def test_a_running_subscriber_gets_events_again(self):
        self.start_daemon("--no-subscribers")
        self.follow()
        self.publish(10, size=10)
        self.wait_for_lines(range(1, 11))
        wait_for(lambda: self.cursor() == 10, "the commit")
        result = self.steno("replay", "--to", "follower", "--from", "4")
        self.assertEqual(result.stdout, "follower goes on with event 4: 7 again\n")
        self.wait_for_lines([*range(1, 11), *range(4, 11)])
        wait_for(lambda: self.cursor() == 10, "the commit")
        self.publish(2, size=10)
        self.wait_for_lines([*range(1, 11), *range(4, 11), 11, 12])

    def test_a_subscriber_that_does_not_run_begins_there_when_it_starts(self):
        self.start_daemon("--no-subscribers")
        follower = self.follow()
        self.publish(10, size=10)
        self.wait_for_lines(range(1, 11))
        self.stop(follower)
        self.assertEqual(json.loads(self.steno("replay", "--to", "follower", "--from", "9", "--json").stdout),
                         {"name": "follower", "was": 10, "offset": 8, "missing": 0})
        self.follow()
        self.wait_for_lines([*range(1, 11), 9, 10])

    def test_from_now_passes_over(self):
        self.start_daemon("--no-subscribers")
        follower = self.follow()
        self.publish(3, size=10)
        self.wait_for_lines(range(1, 4))
        self.stop(follower)
        self.publish(5, size=10)
        self.assertIn("5 passed over", self.steno("replay", "--to", "follower", "--from", "now").stdout)
        self.follow()
        self.publish(1, size=10)
        self.wait_for_lines([1, 2, 3, 9])

    def test_costs_are_computed_anew_and_none_twice(self):
        self.start_daemon()
        self.publish(50, size=10)

        def costs():
            return self.sql("select count(*) n, sum(pico_dollars) pico from cost")[0]

        wait_for(lambda: costs()["n"] == 50, "the costs")
        before = costs()
        with sqlite3.connect(self.dir / "log.db", timeout=10) as database:
            database.execute("update cost set pico_dollars = 1 where offset > 40")
        wait_for(lambda: self.cursor("steno-cost") == 50, "its cursor")
        self.assertIn("again", self.steno("replay", "--to", "steno-cost", "--from", "beginning").stdout)
        wait_for(lambda: costs() == before, "the costs to be right again")
        wait_for(lambda: self.cursor("steno-cost") == 50, "its cursor")

    def test_a_commit_of_who_does_not_know_of_the_move_is_refused(self):
        self.start_daemon("--no-subscribers")
        self.publish(10, size=10)
        self.assertTrue(self.control("commit", name="a", offset=5)["ok"])
        self.assertTrue(self.control("commit", name="a", offset=6, was=5)["ok"])
        self.assertEqual(self.control("commit", name="a", offset=7, was=5)["error"]["code"], "moved")
        self.assertEqual(self.cursor("a"), 6)
        self.assertTrue(self.control("commit", name="b", offset=1, was=0)["ok"], "a cursor that is new")

    def test_what_is_mistyped_is_said(self):
        self.start_daemon("--no-subscribers")
        self.publish(3, size=10)
        self.control("commit", name="mail", offset=2)
        for args, status, says in ((("--to", "nail", "--from", "1"), 1, "mail"), (("--to", "mail", "--from", "9"), 1, "ends with event 3"),
                                   (("--to", "mail", "--from", "x"), 2, '"x"'), (("--to", "mail"), 2, "--from"), (("--from", "1"), 2, "--to")):
            result = self.steno("replay", *args, check=False)
            self.assertEqual(result.returncode, status, args)
            self.assertIn(says, result.stderr, args)
        self.assertEqual(self.cursor("mail"), 2)

    def test_what_has_left_the_journal_is_said(self):
        self.configure("journal_mb = 1")
        self.start_daemon("--no-subscribers")
        self.control("commit", name="mail", offset=0)
        self.publish(2000)
        wait_for(lambda: self.status()["journal_bytes"] <= MEGABYTE, "the journal to get smaller")
        low, high = self.bounds()
        self.control("commit", name="mail", offset=high)
        text = self.steno("replay", "--to", "mail", "--from", "beginning").stdout
        self.assertEqual(text, f"mail goes on with event {low}: {high - low + 1} again\nevents 1 to {low - 1} have left the journal\n")


if __name__ == "__main__":
    main()
